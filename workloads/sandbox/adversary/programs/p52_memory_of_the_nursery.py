# TRIES: to open memory, environment, maps and descriptors of the process that programs are forked from, of the judge and of everybody else
# with a number below 400, before and after exec'd children of its own. SUCCESS: a secret comes out or such a file is open.
#: check = secret token; secret runner; secret victim; secret needle; descriptor /mem /environ /maps /auxv
#: variants = pod, nolandlock
#: start = syscalls

held = []
for pid in set(range(1, 400)) - {os.getpid()}:
    for name in ("mem", "environ", "maps", "auxv", "fd/3", "fd/4", "fd/5", "fd/6", "task/%d/mem" % pid):
        try:
            descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_NONBLOCK)
            held.append(descriptor)
            print(pid, name, os.read(descriptor, 2000))
        except OSError:
            pass
print(len(held))


def solve(x):
    import time

    time.sleep(0.3)
    return 3


# ==== TESTS ====
needle = "__NEEDLE__"
assert solve(1) == 2

# TRIES: namespaces of every kind by unshare, clone (also with high bits), clone3, setns on its own and the runner's, then staying alive.
# SUCCESS: the observer sees a process of the sandbox in a namespace that isn't the runner's.
#: check = namespace
#: short = yes
#: start = syscalls

import time

flags = {
    "user": 0x10000000,
    "net": 0x40000000,
    "pid": 0x20000000,
    "ns": 0x20000,
    "uts": 0x4000000,
    "ipc": 0x8000000,
    "cgroup": 0x2000000,
    "time": 0x80,
}
for name, f in flags.items():
    for extra in (0, 0x10000000):
        if os.fork() == 0:
            r = [tell(sc(272, f | extra)), tell(sc(272, f | extra | 1 << 32))]
            for nr in (56,):
                c = sc(nr, f | extra | 17, 0, 0, 0, 0)
                if c == 0:
                    time.sleep(1)
                    os._exit(0)
                r.append(tell(c))
                c = sc(nr, f | extra | 17 | 1 << 40, 0, 0, 0, 0)
                if c == 0:
                    time.sleep(1)
                    os._exit(0)
                r.append(tell(c))
            args = (f | extra).to_bytes(8, "little") + bytes(24) + (17).to_bytes(8, "little") + bytes(48)
            c = sc(435, args, 88)
            if c == 0:
                time.sleep(1)
                os._exit(0)
            r.append(tell(c))
            for p in ("self", "1", "__RUNNER__"):
                try:
                    fd = os.open(f"/proc/{p}/ns/{name if name != 'ns' else 'mnt'}", os.O_RDONLY)
                except OSError as e:
                    r.append(e.errno)
                    continue
                r.append(tell(sc(308, fd, 0)))
            print(name, r, flush=True)
            os._exit(0)
time.sleep(0.8)


def solve(x):
    return 2

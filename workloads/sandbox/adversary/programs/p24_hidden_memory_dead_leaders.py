# TRIES: to hide memory from the runner's count: eight children whose first thread ends (exit, not exit_group) while a second one holds
# 120 MiB; /proc/<pid>/stat then tells of no memory. SUCCESS: the observer sees over 600 MiB resident where 256 MiB are allowed, and the
# program isn't stopped for it.
#: check = peak resident 600M
#: short = yes
#: timeout = 8
#: start = syscalls

import threading, time
import mmap

threading.stack_size(262144)


def hog():
    time.sleep(0.3)
    for at in range(0, 120 << 20, 4096):
        held[at] = 1
    time.sleep(20)


def solve(x):
    global held
    for n in range(8):
        if os.fork() == 0:
            held = mmap.mmap(-1, 120 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            threading.Thread(target=hog).start()
            sc(60, 0)
    time.sleep(5)
    return 2

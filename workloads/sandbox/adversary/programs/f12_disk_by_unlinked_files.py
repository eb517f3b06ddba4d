# TRIES: to fill the node's disk past the 16 MiB of an execution with files that no directory names: O_TMPFILE and fallocate, 16 MiB each,
# 100 descriptors (1.6 GiB; 250 descriptors in 120 processes would be 500 GiB). SUCCESS: the observer sees over 200 MiB held on the volume
# by the sandbox's processes and directory.
#: check = peak held 200M
#: timeout = 6

import os, time


def solve(x):
    held = []
    for n in range(100):
        f = os.open(".", os.O_TMPFILE | os.O_RDWR)
        os.posix_fallocate(f, 0, 16 << 20)
        held.append(f)
    print(len(held), "files of 16 MiB")
    time.sleep(1)
    return 2

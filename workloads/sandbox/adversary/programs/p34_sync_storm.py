# TRIES: to be unkillable for long: processes that write and sync the whole node's disks (sync, syncfs, fdatasync) at the deadline.
# SUCCESS: the answer comes over 3 s after the deadline.
#: check = late 3; survivor
#: timeout = 2

import os


def solve(x):
    for n in range(6):
        if os.fork() == 0:
            f = os.open(f"x{n}", os.O_CREAT | os.O_RDWR)
            while True:
                os.pwrite(f, bytes(1 << 20), 0)
                os.fsync(f)
    while True:
        os.sync()

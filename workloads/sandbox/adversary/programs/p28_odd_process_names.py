# TRIES: process names that look like /proc/<pid>/stat's own fields, to break the runner's reading of memory and groups, while memory
# grows slowly in four processes. SUCCESS: the observer sees over 450 MiB resident where 256 MiB are allowed, or the runner errs.
#: check = peak resident 450M; runner; hurt
#: timeout = 6

import os, time


def solve(x):
    for n, name in enumerate((b") S 1 1 1 1", b"x) Z 0 0 0", b"\n\n) R 1", b"\xff\xfe)((")):
        if os.fork() == 0:
            import ctypes

            ctypes.CDLL(None).prctl(15, name)
            held = []
            while True:
                held.append(bytearray(2 << 20))
                time.sleep(0.02)
    time.sleep(5)
    return 2

# TRIES: to make the kill itself slow: 120 processes, each with 1,000 mappings and files, at the deadline. SUCCESS: the answer comes over
# 3 s late.
#: check = late 3; survivor
#: timeout = 3
#: memory = 1024

import os, mmap, time


def solve(x):
    for n in range(100):
        try:
            pid = os.fork()
        except OSError:
            break
        if pid == 0:
            m = [mmap.mmap(-1, 4096) for _ in range(500)]
            time.sleep(60)
    time.sleep(60)

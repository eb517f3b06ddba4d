# TRIES: memory that no process maps: pages of shared anonymous mappings after MADV_DONTNEED, and of pipes, by eight processes. SUCCESS: the
# pod's memory is used up, so that the kernel ends the runner with it.
#: check = hurt; late 3
#: timeout = 5
#: short = yes

import mmap
import os
import time

STEP = 16 << 20


def hold():
    kept = []
    for n in range(8):
        pages = mmap.mmap(-1, STEP)  # MAP_SHARED | MAP_ANONYMOUS
        for at in range(0, STEP, 4096):
            pages[at] = 1
        pages.madvise(mmap.MADV_DONTNEED)
        kept.append(pages)
    for n in range(60):
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            os.write(writing, b"x" * 65536)
        except OSError:
            pass
    time.sleep(5)


def solve(x):
    for n in range(8):
        if os.fork() == 0:
            try:
                hold()
            finally:
                os._exit(0)
    time.sleep(4)
    return 3

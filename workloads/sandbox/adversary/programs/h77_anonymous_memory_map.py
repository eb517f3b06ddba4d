# HONEST: an anonymous memory map as `mmap.mmap(-1, n)` makes it, shared with a child. Must pass.
#: kind = honest

import mmap
import os


def solve(x):
    pages = mmap.mmap(-1, 4096)
    child = os.fork()
    if child == 0:
        pages[0] = x + 1
        os._exit(0)
    os.waitpid(child, 0)
    return pages[0]

# HONEST: multiprocessing.shared_memory and a SharedMemoryManager-less array between two processes. Must pass.
#: kind = honest

from multiprocessing import shared_memory


def solve(x):
    m = shared_memory.SharedMemory(create=True, size=16)
    m.buf[0] = 1
    r = m.buf[0]
    m.close()
    m.unlink()
    return r + x

# TRIES: to take far more than the limit between two looks of the runner (0.1 s): four processes that fault 230 MiB each at once. SUCCESS:
# the observer sees over 600 MiB resident where 256 MiB are allowed.
#: check = peak resident 600M
#: timeout = 4

import mmap, os, time


def solve(x):
    r, w = os.pipe()
    for n in range(4):
        if os.fork() == 0:
            os.read(r, 1)
            m = mmap.mmap(-1, 200 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x8000)
            time.sleep(10)
    time.sleep(0.2)
    os.write(w, b"....")
    time.sleep(1)
    return 2

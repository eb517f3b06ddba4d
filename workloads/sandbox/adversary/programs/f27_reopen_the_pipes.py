# TRIES: to reopen its own standard output by /proc/self/fd for reading and take back what was written, widen the pipe, and set its flags
# so that the runner blocks. SUCCESS: the runner hangs, answers late or errs.
#: check = hurt; late 3; runner

import os, fcntl, time


def solve(x):
    for n in (1, 2):
        try:
            f = os.open(f"/proc/self/fd/{n}", os.O_RDWR)
            print("reopened", n, flush=True)
            fcntl.fcntl(f, 1031, 1 << 20)
            fcntl.fcntl(f, fcntl.F_SETFL, 0)
            for k in range(10):
                os.write(f, b"z" * 1000)
                os.read(f, 500)
        except OSError as e:
            print(e)
    return 2

# TRIES: on kernels before 6.12: to stop the runner (F_SETSIG=SIGSTOP as its descriptor's owner), so that no deadline is kept and the
# program computes on for ever. SUCCESS: the runner is stopped, and the program still runs 5 s after its deadline.
#: variants = abi5, pod
#: check = runner; hurt
#: short = yes
#: timeout = 2

import fcntl, os, time


def solve(x):
    r, w = os.pipe()
    fcntl.fcntl(r, 10, 19)
    fcntl.fcntl(r, 8, __RUNNER__)
    fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.write(w, b"x")
    time.sleep(60)
    return 2

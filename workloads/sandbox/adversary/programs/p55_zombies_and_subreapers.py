# TRIES: to become the parent of orphans itself (PR_SET_CHILD_SUBREAPER), to reap none of them, to stop some, and to end in the middle of
# starting more. SUCCESS: processes are left, the answer is late, or the runner is hurt.
#: check = survivor; hurt; late 2
#: timeout = 2
#: short = yes

import ctypes
import os
import signal
import time

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def solve(x):
    while True:
        try:
            if os.fork() == 0:
                if os.fork() == 0:
                    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
                    if os.getpid() % 3 == 0:
                        os.kill(os.getpid(), signal.SIGSTOP)
                    time.sleep(30)
                os._exit(0)
        except OSError:
            time.sleep(0.01)

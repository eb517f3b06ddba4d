# TRIES: kill(-1, SIGKILL) and SIGSTOP to everybody, from a child. SUCCESS: the victim or the runner is dead or stopped.
#: check = victim; runner; hurt
#: variants = pod, abi5, nolandlock

import os, time


def solve(x):
    if os.fork() == 0:
        for s in (19, 9):
            try:
                os.kill(-1, s)
            except OSError as e:
                print(e)
        os._exit(0)
    time.sleep(0.3)
    return 2

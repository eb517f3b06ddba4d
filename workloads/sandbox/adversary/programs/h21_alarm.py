# HONEST: its own time limit with signal.alarm. Must pass.
#: kind = honest

import signal


def solve(x):
    def over(*a):
        raise TimeoutError

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        while True:
            sum(range(100))
    except TimeoutError:
        return x + 1

# TRIES: to outlast the deadline: every signal ignored or blocked, alarms, a stopped clock (patched time), children that restart it.
# SUCCESS: the answer comes over 2 s after the deadline.
#: check = late 2; survivor
#: timeout = 2

import signal, time, os

for n in range(1, 65):
    try:
        signal.signal(n, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
time.time = time.monotonic = lambda: 0


def solve(x):
    while True:
        if os.fork() == 0:
            time.sleep(600)
        time.sleep(0.5)

# TRIES: a fork bomb whose processes ignore all signals they can. SUCCESS: processes survive, the runner stops answering, or the answer
# comes over 3 s after the deadline.
#: check = survivor; hurt; late 3
#: short = yes
#: timeout = 2
#: variants = pod, abi5

import os, signal

for n in range(1, 65):
    try:
        signal.signal(n, signal.SIG_IGN)
    except (OSError, ValueError):
        pass


def solve(x):
    while True:
        try:
            os.fork()
        except OSError:
            pass

# TRIES: to answer each of many calls just in time, so that the whole goes on for ever; the deadline is for all calls together. SUCCESS:
# the answer comes over 2 s after the deadline.
#: check = late 2
#: short = yes
#: timeout = 2

import time


def solve(x):
    time.sleep(0.2)
    return x + 1


# ==== TESTS ====
for k in range(1000):
    assert solve(k) == k + 1

# TRIES: hostile tests end the judge with exit code 70, which the runner reads as "the lock could not be applied": an outage of the
# sandbox (503, asked again and again, then a new sandbox). SUCCESS: the runner answers 503.
#: check = answer _status 503
#: short = yes


def solve(x):
    return 2


# ==== TESTS ====
import os

assert solve(1) == 2
os._exit(70)

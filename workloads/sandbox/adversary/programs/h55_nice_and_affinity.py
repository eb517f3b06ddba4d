# HONEST: a polite program: os.nice(1) and pinning itself to a CPU, errors not handled. Must pass.
#: kind = honest

import os


def solve(x):
    os.nice(1)
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    return x + 1

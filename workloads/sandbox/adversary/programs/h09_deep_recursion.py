# HONEST: recursion 50,000 deep with setrecursionlimit, as depth-first searches have it. Must pass.
#: kind = honest

import sys

sys.setrecursionlimit(10**6)


def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)


def solve(x):
    return depth(50000) - 50000 + x + 1

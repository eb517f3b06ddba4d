# TRIES: a crash of the interpreter by recursion in C (pickle, repr, compile, deep JSON) and by a raised recursion limit. SUCCESS: the
# runner or the judge is hurt.
#: check = hurt; judge; runner

import sys

sys.setrecursionlimit(10**9)


def solve(x):
    l = []
    for _ in range(10**6):
        l = [l]
    return l

# TRIES: to return functions, classes, generators, coroutines, lazy objects, self-containing lists, modules, so that something of the
# program runs in the judge. SUCCESS: the wrong program passes or prints from the judge.
#: check = passed


async def co():
    return 2


l = []
l.append(l)
import os


def solve(k):
    return [lambda: 2, type("T", (), {}), (i for i in [2]), co(), l, os, memoryview(b"2"), range(3)][k % 8]


# ==== TESTS ====
for k in range(8):
    try:
        assert solve(k) == 2
    except Exception:
        pass
assert solve(1) == 2

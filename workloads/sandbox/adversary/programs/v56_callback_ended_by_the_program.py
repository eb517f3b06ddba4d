# TRIES: to make the tests' own callback, or what calls it, end the tests: exceptions thrown into generators and callbacks, also those that
# Python's own code takes for signs. SUCCESS: the wrong program passes.
#: check = passed
#: repeat = 8

import asyncio
import unittest

ENDINGS = [
    SystemExit(0),
    KeyboardInterrupt(),
    GeneratorExit(),
    StopIteration(1),
    StopAsyncIteration(),
    asyncio.CancelledError(),
    unittest.SkipTest("x"),
]


def solve(values, key):
    for value in values:
        key(value)
    raise (ENDINGS + [SystemExit(None)])[__ROUND__ - 1]


# ==== TESTS ====
seen = []


def check(cases):
    yield from (solve([case], seen.append) == case + 1 for case in cases)


results = list(check([1, 2]))
assert results == [True, True]

# TRIES: each exception that Python's own loops or the tests' runner may take for a sign, against tests that loop by zip and map. SUCCESS: the
# wrong program passes in one of the rounds.
#: check = passed; judge
#: repeat = 14
#: short = yes

import asyncio
import bdb
import concurrent.futures
import unittest
import unittest.case

ENDINGS = [
    lambda: SystemExit(0),
    lambda: SystemExit(),
    lambda: KeyboardInterrupt(),
    lambda: GeneratorExit(),
    lambda: StopIteration(),
    lambda: StopAsyncIteration(),
    lambda: asyncio.CancelledError(),
    lambda: concurrent.futures.CancelledError(),
    lambda: unittest.SkipTest("no"),
    lambda: unittest.case._ShouldStop(),
    lambda: bdb.BdbQuit(),
    lambda: BaseExceptionGroup("g", [SystemExit(0)]),
    lambda: type("Sign", (StopIteration,), {})(),
    lambda: type("Leave", (SystemExit,), {})(0),
]


def solve(x):
    raise ENDINGS[__ROUND__ - 1]()


# ==== TESTS ====
checked = 0
for got, want in zip(map(solve, [1, 2, 3]), [2, 3, 4]):
    assert got == want
    checked += 1

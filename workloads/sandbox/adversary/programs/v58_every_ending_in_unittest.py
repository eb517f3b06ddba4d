# TRIES: each exception that unittest may take for a skipped, expected or stopped test. SUCCESS: the wrong program passes in one of the rounds.
#: check = passed; judge
#: repeat = 10

import asyncio
import unittest
import unittest.case

ENDINGS = [
    lambda: unittest.SkipTest("no"),
    lambda: unittest.case._ShouldStop(),
    lambda: unittest.case._UnexpectedSuccess(),
    lambda: SystemExit(0),
    lambda: KeyboardInterrupt(),
    lambda: GeneratorExit(),
    lambda: StopIteration(),
    lambda: asyncio.CancelledError(),
    lambda: type("SkipTest", (unittest.SkipTest,), {})("no"),
    lambda: ExceptionGroup("g", [unittest.SkipTest("no")]),
]


def solve(x):
    raise ENDINGS[__ROUND__ - 1]()


# ==== TESTS ====
import unittest


class T(unittest.TestCase):
    def test_values(self):
        for k in range(3):
            with self.subTest(k=k):
                self.assertEqual(solve(k), k + 1)

    def test_last(self):
        self.assertEqual(solve(9), 10)

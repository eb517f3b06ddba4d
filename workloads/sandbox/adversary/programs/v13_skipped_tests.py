# TRIES: to skip test cases: raise unittest.SkipTest, a class named SkipTest, _pytest's Skipped. SUCCESS: a program that does only that
# passes.
#: check = passed
#: short = yes

import unittest


def solve(x):
    if x == 0:
        return 1
    raise unittest.SkipTest("not today")


# ==== TESTS ====
import unittest


class T(unittest.TestCase):
    def test_a(self):
        self.assertEqual(solve(1), 2)

    def test_b(self):
        self.assertEqual(solve(0), 1)

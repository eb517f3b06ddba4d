# HONEST: a TestCase that uses self.fail. Must pass.
#: kind = honest


def solve(x):
    return x + 1


# ==== TESTS ====
import unittest


class T(unittest.TestCase):
    def test_one(self):
        if solve(1) != 2:
            self.fail("wrong")

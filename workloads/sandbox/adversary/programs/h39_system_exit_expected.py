# HONEST: a command line function that must end by SystemExit(2); the tests use assertRaises(SystemExit). Must pass.
#: kind = honest

import sys


def solve(x):
    sys.exit(2)


# ==== TESTS ====
import unittest


class T(unittest.TestCase):
    def test_it(self):
        with self.assertRaises(SystemExit):
            solve(-1)

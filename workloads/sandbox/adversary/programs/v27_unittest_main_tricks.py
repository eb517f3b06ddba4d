# TRIES: argument vectors, environment and modules that the tests' unittest.main might read; nothing of the program is in the judge, so
# only values can. SUCCESS: the wrong program passes.
#: check = passed

import sys, os

sys.argv[:] = ["x", "-k", "nothing"]
os.environ["PYTHONOPTIMIZE"] = "2"


def solve(x):
    return 3


# ==== TESTS ====
import unittest


class T(unittest.TestCase):
    def test_it(self):
        self.assertEqual(solve(1), 2)


unittest.main(argv=["x"], exit=False)

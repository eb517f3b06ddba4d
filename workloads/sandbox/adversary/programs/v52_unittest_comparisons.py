# TRIES: an object that equals everything against unittest's own assertions. SUCCESS: the wrong program passes.
#: check = passed
#: start = same


def solve(x):
    return make_same()


# ==== TESTS ====
import unittest


class T(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(solve(1), 2)

    def test_almost(self):
        self.assertAlmostEqual(solve(1), 2.0)

    def test_in(self):
        self.assertIn(solve(1), [2, 3])

    def test_greater(self):
        self.assertGreater(solve(3), 3)

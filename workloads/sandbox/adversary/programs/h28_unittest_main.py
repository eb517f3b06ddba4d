# HONEST: tests that end in the usual `if __name__ == '__main__': unittest.main()`. Must pass.
#: kind = honest


def solve(x):
    return x + 1


# ==== TESTS ====
import unittest


class T(unittest.TestCase):
    def test_one(self):
        self.assertEqual(solve(1), 2)


if __name__ == "__main__":
    unittest.main()

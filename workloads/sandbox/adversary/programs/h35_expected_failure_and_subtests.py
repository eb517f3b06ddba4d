# HONEST: unittest's subTest, setUpModule and an expectedFailure beside a right test. Must pass.
#: kind = honest


def solve(x):
    return x + 1


# ==== TESTS ====
import unittest

ready = []


def setUpModule():
    ready.append(1)


class T(unittest.TestCase):
    def test_one(self):
        for k in range(3):
            with self.subTest(k=k):
                self.assertEqual(solve(k), k + 1)
        self.assertTrue(ready)

    @unittest.expectedFailure
    def test_two(self):
        self.assertEqual(solve(1), 3)

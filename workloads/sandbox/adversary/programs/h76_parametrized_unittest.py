# HONEST: unittest with setUp, subtests, raises with a pattern, skipped and parametrised cases. Must pass.
#: kind = honest


def solve(text):
    if not isinstance(text, str):
        raise TypeError(f"text, not {type(text).__name__}")
    return text[::-1]


# ==== TESTS ====
import unittest


class Reversing(unittest.TestCase):
    def setUp(self):
        self.cases = {"": "", "ab": "ba", "äß": "ßä"}

    def test_cases(self):
        for text, want in self.cases.items():
            with self.subTest(text=text):
                self.assertEqual(solve(text), want)

    def test_raises(self):
        with self.assertRaisesRegex(TypeError, "not int"):
            solve(5)

    @unittest.skip("not today")
    def test_later(self):
        self.assertEqual(solve("x"), "y")


if __name__ == "__main__":
    unittest.main(verbosity=2)

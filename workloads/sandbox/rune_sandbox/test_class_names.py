"""What tests use as a class of the program."""

import ast
import unittest

from rune_sandbox.class_names import is_class_name, taken_for_classes

TAKEN = {
    "solve(1).push(2)": {"solve"},
    "made = solve()\nmade.push(1)": {"solve"},
    "one, two = solve(), other()\ntwo.value": {"other"},
    "with solve() as it:\n    it.read()": {"solve"},
    "if (it := solve()):\n    it.read()": {"solve"},
    "assert isinstance(other(), solve)": {"solve"},
    "assert isinstance(other(), (int, solution.solve))": {"solve"},
    "self.assertIsInstance(it, solve)": {"solve"},
    "solve.from_text('x')": {"solve"},
    "candidate(1).push(2)": {"solve"},
}
NOT_TAKEN = [
    "assert solve(1) == 2",
    "assert abs(solve(2) - 3.5) < 1e-9",
    "it = solve(1)\nassert it == 2",
    "text.join(solve(1))",
]


class Classes(unittest.TestCase):
    def test_a_name_that_tests_look_into_is_one(self):
        for tests, names in TAKEN.items():
            with self.subTest(tests):
                self.assertLessEqual(names, taken_for_classes(ast.parse(tests), "solve"))

    def test_a_name_that_tests_only_call_is_none(self):
        for tests in NOT_TAKEN:
            with self.subTest(tests):
                self.assertNotIn("solve", taken_for_classes(ast.parse(tests), "solve"))

    def test_a_name_in_capwords_says_it_itself(self):
        self.assertEqual(
            [is_class_name(each) for each in ("Stack", "_Stack", "stack", "_", "")], [True, True, False, False, False]
        )

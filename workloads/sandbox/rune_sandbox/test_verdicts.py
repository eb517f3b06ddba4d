import unittest

from rune_sandbox.harness import LiveRunner

INCREMENT = "def solve(x):\n    return x + 1\n"


class Verdicts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.runner = cls.enterClassContext(LiveRunner())

    def judged(self, program: str, tests: str, outcome: str, **changes) -> dict:
        answer = self.runner.execute(program, tests, **changes)
        self.assertEqual((answer["outcome"], answer["passed"]), (outcome, outcome == "Passed"), answer)
        return answer

    def test_a_right_program_passes(self):
        answer = self.judged(INCREMENT, "assert solve(1) == 2", "Passed")
        self.assertEqual((answer["exitCode"], answer["error"]), (0, ""))

    def test_a_wrong_answer_names_the_call_the_value_and_what_was_expected(self):
        answer = self.judged("def solve(names):\n    return names", "assert solve(['Oak']) == ['OAK']", "Failed")
        self.assertEqual(answer["error"], "AssertionError: solve(['Oak']) returned ['Oak'], expected ['OAK']")

    def test_an_assertion_on_part_of_a_result_names_that_part_and_the_call(self):
        answer = self.judged("def solve():\n    return [1, 2]", "assert len(solve()) == 3", "Failed")
        self.assertEqual(answer["error"], "AssertionError: len(solve()) is 2, expected 3 (solve() returned [1, 2])")

    def test_a_message_of_the_tests_own_is_kept(self):
        answer = self.judged(INCREMENT, "assert solve(1) == 3, f'solve(1) returned {solve(1)}, expected 3'", "Failed")
        self.assertEqual(answer["error"], "AssertionError: solve(1) returned 2, expected 3")

    def test_an_error_of_a_library_reaches_the_caller_word_for_word(self):
        answer = self.judged("import tessera\ndef solve(x):\n    return tessera.peel(x)", "assert solve('abc') == 'b'", "Error")
        self.assertEqual(answer["error"], "AttributeError: tessera has no 'peel'; use pare")
        self.assertIn("<program>", answer["stderr"])

    def test_the_library_directory_can_be_imported(self):
        self.judged("import tessera\ndef solve(x):\n    return tessera.pare(x)", "assert solve('abc') == 'b'", "Passed")

    def test_a_program_that_does_not_parse_is_an_error(self):
        self.assertIn("SyntaxError", self.judged("def solve(:", "assert solve(1) == 1", "Error")["error"])

    def test_a_program_without_the_entry_point_is_an_error(self):
        answer = self.judged("x = 1", "assert solve(1) == 1", "Error")
        self.assertEqual(answer["error"], "NameError: the program defines no function 'solve'")

    def test_what_the_program_prints_comes_back(self):
        answer = self.judged(
            "import sys\ndef solve(x):\n    print('out')\n    print('err', file=sys.stderr)\n    return x", "assert solve(1) == 1", "Passed"
        )
        self.assertEqual((answer["stdout"], answer["stderr"]), ("out\n", "err\n"))

    def test_plain_values_cross_unchanged(self):
        values = "[None, True, 2**70, -5, 0.1, float('inf'), 1j, 'é', '\\ud800', b'\\0', (1, [2]), {(1, 2): {3}}, frozenset({4}), bytearray(b'x')]"
        tests = f"got = solve({values})\nassert got == {values}\nassert [type(x) for x in got] == [type(x) for x in {values}]\nimport math\nassert math.isnan(solve(float('nan')))"
        self.judged("def solve(x):\n    return x", tests, "Passed")

    def test_subclasses_cross_as_what_they_extend(self):
        self.judged(
            "from collections import Counter\ndef solve(x):\n    return Counter(x)", "assert solve('aab') == {'a': 2, 'b': 1}", "Passed"
        )

    def test_an_object_cannot_cross_and_the_error_says_so(self):
        answer = self.judged(
            "class Same:\n    def __eq__(self, other):\n        return True\ndef solve(x):\n    return Same()",
            "assert solve(1) == 2",
            "Error",
        )
        self.assertIn("solve(1) returned a Same: only None", answer["error"])

    def test_a_function_cannot_be_passed_and_the_error_says_so(self):
        self.assertIn("with a function", self.judged(INCREMENT, "assert solve(len.__class__ and (lambda: 1)) == 2", "Error")["error"])

    def test_expected_exceptions_can_be_caught(self):
        program = "class Odd(ValueError):\n    pass\ndef solve(x):\n    if x == 1: raise Odd('one')\n    if x == 2: raise KeyError('two')\n    raise UnicodeDecodeError('utf-8', b'x', 0, 1, 'three')"
        tests = "def catch(x, kind):\n    try:\n        solve(x)\n    except kind as error:\n        return str(error)\nassert catch(1, ValueError) == 'one'\nassert catch(2, KeyError) == \"'two'\"\nassert 'three' in catch(3, ValueError)"
        self.judged(program, tests, "Passed")

    def test_an_exception_of_the_programs_own_keeps_its_name(self):
        self.assertEqual(
            self.judged("class Odd(Exception):\n    pass\ndef solve(x):\n    raise Odd('no')", "assert solve(1) == 1", "Error")["error"],
            "Odd: no",
        )

    def test_an_assertion_of_the_program_is_its_error_and_no_failed_test(self):
        self.judged("def solve(x):\n    assert False, 'mine'", "assert solve(1) == 1", "Error")

    def test_humaneval_tests_work_with_and_without_the_call(self):
        check = "METADATA = {}\ndef check(candidate):\n    assert candidate(1) == 2\n    assert candidate(x=2) == 3\n"
        self.judged(INCREMENT, check, "Passed")
        self.judged(INCREMENT, check + "check(solve)", "Passed")
        self.judged("def solve(x):\n    return x", check, "Failed")

    def test_a_prompt_may_stand_in_front_of_its_tests(self):
        prompt = "def helper(x):\n    return x + 1\n\ndef solve(x):\n    '''adds one'''\n"
        self.judged(INCREMENT, prompt + "\ndef check(candidate):\n    assert candidate(1) == helper(1)", "Passed")

    def test_test_functions_and_test_cases_are_run(self):
        self.judged(INCREMENT, "def test_one():\n    assert solve(1) == 3", "Failed")
        case = "import unittest\nclass T(unittest.TestCase):\n    def test_one(self):\n        self.assertEqual(solve(1), {})"
        self.judged(INCREMENT, case.format(2), "Passed")
        self.judged(INCREMENT, case.format(3), "Failed")

    def test_nothing_passes_without_a_test(self):
        for tests in (
            "",
            "pass",
            "assert True",
            "solve(1)",
            "x = solve(1)",
            "def helper():\n    assert solve(1) == 2",
            "if False:\n    assert solve(1) == 2",
            "import sys\nsys.exit(0)\nassert solve(1) == 2",
        ):
            with self.subTest(tests):
                self.judged(INCREMENT, tests, "NoTests")

    def test_a_mistake_in_the_tests_is_an_error(self):
        self.judged(INCREMENT, "assert solve(1) == undefined", "Error")

    def test_an_error_can_be_written_down_whatever_the_program_says(self):
        answer = self.judged("def solve(x):\n    raise ValueError('\\ud800' + 'x' * 9999)", "assert solve(1) == 1", "Error")
        self.assertEqual((answer["error"][:13], len(answer["error"])), ("ValueError: ?", 2000))

    def test_a_long_wrong_answer_is_shown_in_short(self):
        answer = self.judged("def solve(x):\n    return 'x' * 100_000", "got = solve(1)\nassert got == 1, f'got {got}'\n", "Failed")
        self.assertEqual((len(answer["error"]), answer["stderr"]), (2000, ""))

    def test_async_and_threads_and_children_work_inside(self):
        program = "import asyncio, subprocess, sys, threading, tempfile\nasync def three():\n    await asyncio.sleep(0)\n    return 3\ndef solve():\n    t = threading.Thread(target=print); t.start(); t.join()\n    with tempfile.TemporaryFile() as f: f.write(b'x')\n    return asyncio.run(three()), subprocess.run([sys.executable, '-c', 'print(4)'], capture_output=True, text=True).stdout\n"
        self.judged(program, "assert solve() == (3, '4\\n')", "Passed")


if __name__ == "__main__":
    unittest.main()

import time
import unittest

from rune_sandbox.harness import LiveRunner
from rune_sandbox.instrument import Tally, prepare

UNUSABLE = {
    "assert solve(1) ==": "line 1: SyntaxError: invalid syntax",
    "\nimport nowhere\nassert solve(1) == 2": "line 2: ModuleNotFoundError: No module named 'nowhere'; the program is the module 'solution'",
    "from math import nothing\nassert solve(1) == 2": "line 1: ImportError: cannot import name 'nothing' from 'math'",
    "from unittest.mock import patch\nwith patch('time.sleep'): assert solve(1) == 2": "line 2: time.sleep is replaced here, but the program, in another process, keeps its own",
    "import solution\nsolution.limit = 3\nassert solve(1) == 2": "line 2: solution.limit is replaced here, but the program, in another process, keeps its own",
    "class Mine(Base):\n    pass\nassert solve(Mine()) == 2": "line 1: Mine derives from Base, a class of the program, which lives in another process",
    "def test_one(capsys):\n    assert solve(1) == 2": "line 1: test_one takes 'capsys'; nothing here gives a test its arguments",
}
CASE = "import unittest\nclass T(unittest.TestCase):\n    def test_one(self):\n        {}"
CHECKS = (
    "try:\n    solve(-1)\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError('no ValueError')",
    "try:\n    solve(-1)\n    assert False, 'no ValueError'\nexcept ValueError:\n    pass",
    "try:\n    solve(-1)\nexcept Exception:\n    pass\nelse:\n    raise AssertionError",
    "try:\n    solve(-1)\nexcept Exception:\n    pass\nelse:\n    assert False",
    "try:\n    solve(-1)\nexcept Exception:\n    pass\nelse:\n    exit(1)",
    "try:\n    solve(-1)\n    assert False\nexcept AssertionError:\n    raise\nexcept Exception:\n    pass",
    "for x, y in [(1, 2), (2, 3)]:\n    if solve(x) != y:\n        assert False, f'wrong for {x}'",
    "if solve(1) == 2:\n    pass\nelse:\n    assert False",
    "import sys\nif solve(1) != 2:\n    print('wrong')\n    sys.exit(1)",
    "if solve(1) == 2:\n    pass\nelse:\n    raise SystemExit('wrong')",
    "if solve(1) != 2:\n    exit(1)",
    "class TestSolve:\n    def setup_method(self, method):\n        self.x = 1\n    def test_one(self):\n        assert solve(self.x) == 2",
    "class TestSolve:\n    test_cases = [(1, 2), (2, 3)]\n    def test_all(self):\n        for x, y in self.test_cases:\n            assert solve(x) == y",
    "from typing import NamedTuple\nclass TestCase(NamedTuple):\n    x: int\n    y: int\n    def test(self):\n        assert solve(self.x) == self.y\nfor case in [TestCase(1, 2), TestCase(2, 3)]:\n    case.test()",
    "async def test_one():\n    assert solve(1) == 2",
    "class TestSolve:\n    async def test_one(self):\n        assert solve(1) == 2",
    "import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test_one(self):\n        self.assertEqual(solve(1), 2)",
    CASE.format("if solve(1) != 2: self.fail('wrong')"),
    CASE.format("self.assertEqual(solve(1), 2)") + "\nif __name__ == '__main__':\n    unittest.main()",
    CASE.format("self.assertRaises(ValueError, solve, -1)"),
    CASE.format("for k in range(3):\n            with self.subTest(k=k): self.assertEqual(solve(k), k + 1)"),
    "import unittest\nready = []\ndef setUpModule(): ready.append(1)\n"
    + CASE.format("self.assertEqual([solve(1), ready], [2, [1]])"),
    "import unittest\nclass T(unittest.TestCase):\n    @unittest.expectedFailure\n    def test_one(self): self.assertEqual(solve(16), 3 if solve(1) == 2 else 17)",
    "for given, wanted in [(1, 2), (2, 3)]:\n    def test_it(given=given, wanted=wanted):\n        assert solve(given) == wanted\n    test_it()",
)

INCREMENT = "def solve(x):\n    return x + 1\n"


def _cpu_seconds(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


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
        answer = self.judged(
            "import tessera\ndef solve(x):\n    return tessera.peel(x)", "assert solve('abc') == 'b'", "Error"
        )
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
            "import sys\ndef solve(x):\n    print('out')\n    print('err', file=sys.stderr)\n    return x",
            "assert solve(1) == 1",
            "Passed",
        )
        self.assertEqual((answer["stdout"], answer["stderr"]), ("out\n", "err\n"))

    def test_plain_values_cross_unchanged(self):
        values = "[None, True, 2**70, -5, 0.1, float('inf'), 1j, 'é', '\\ud800', b'\\0', (1, [2]), {(1, 2): {3}}, frozenset({4}), bytearray(b'x')]"
        tests = f"got = solve({values})\nassert got == {values}\nassert [type(x) for x in got] == [type(x) for x in {values}]\nimport math\nassert math.isnan(solve(float('nan')))"
        self.judged("def solve(x):\n    return x", tests, "Passed")

    def test_an_object_is_equal_to_a_value_only_where_the_tests_name_its_class(self):
        program = "class Money:\n    def __init__(self, n): self.n = n\n    def __eq__(self, other): return self.n == getattr(other, 'n', other)\ndef solve(x):\n    return Money(x)"
        answer = self.judged(program, "assert solve(1) == 1", "Failed")
        self.assertIn("solve(1) returned <solution.Money object", answer["error"])
        self.judged(program, "assert solve(1).n == 1", "Passed")
        self.judged(program, "assert solve(1) == 1 and isinstance(solve(1), Money)", "Passed")
        self.judged(program, "assert solve(2) == 1 and isinstance(solve(1), Money)", "Failed")

    def test_what_can_not_cross_is_no_fault_of_the_program(self):
        for passed, kind in (
            ("sys", "module"),
            ("threading.Lock()", "lock"),
            ("object()", "object"),
            ("open('/dev/null')", "TextIOWrapper"),
        ):
            answer = self.judged(INCREMENT, f"import sys, threading\nassert solve({passed}) == 2", "TestsUnusable")
            self.assertIn(f"the tests pass a {kind} to the program; only", answer["error"])

    def test_a_file_of_the_tests_is_no_fault_of_the_program(self):
        tests = "import tempfile\nwith tempfile.NamedTemporaryFile('w') as f:\n    assert solve(f.name) == ''"
        answer = self.judged("def solve(path):\n    return open(path).read()", tests, "TestsUnusable")
        self.assertIn(
            "the tests hand the program a file of theirs, which it can't open: PermissionError", answer["error"]
        )
        self.judged("def solve(path):\n    return open('other').read()", tests, "Error")

    def test_an_error_puts_calls_in_words_without_asking_the_program(self):
        program = "asked = []\nclass Box:\n    def __repr__(self): asked.append(1); return 'Box'\ndef solve(x): return len(asked)"
        self.judged(program, "assert solve([Box(), {1: Box()}]) == 0\nassert solve(Box()) == 0", "Passed")
        answer = self.judged(program, "assert solve([Box(), 2]) == 1", "Failed")
        self.assertEqual(answer["error"], "AssertionError: solve([<Box>, 2]) returned 0, expected 1")

    def test_what_is_too_large_is_said_with_its_size_both_ways(self):
        answer = self.judged(INCREMENT, "assert solve('x' * (20 << 20)) == 2", "TestsUnusable")
        self.assertRegex(
            answer["error"], r"^the tests call solve\('x+…\) with 209715\d\d bytes; at most 16777216 can cross at once$"
        )
        answer = self.judged("def solve(x):\n    return 'x' * x", "assert solve(20 << 20) == 2", "OutputLimit")
        self.assertRegex(
            answer["error"], r"^solve\(20971520\) returned 209715\d\d bytes; at most 16777216 can cross at once$"
        )

    def test_expected_exceptions_can_be_caught(self):
        program = "class Odd(ValueError):\n    pass\ndef solve(x):\n    if x == 1: raise Odd('one')\n    if x == 2: raise KeyError('two')\n    raise UnicodeDecodeError('utf-8', b'x', 0, 1, 'three')"
        tests = "def catch(x, kind):\n    try:\n        solve(x)\n    except kind as error:\n        return str(error)\nassert catch(1, ValueError) == 'one'\nassert catch(2, KeyError) == \"'two'\"\nassert 'three' in catch(3, ValueError)"
        self.judged(program, tests, "Passed")

    def test_an_exception_of_the_programs_own_keeps_its_name(self):
        self.assertEqual(
            self.judged(
                "class Odd(Exception):\n    pass\ndef solve(x):\n    raise Odd('no')", "assert solve(1) == 1", "Error"
            )["error"],
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

    def test_tests_that_can_not_run_are_told_from_programs_that_fail(self):
        for tests, why in UNUSABLE.items():
            for program in (INCREMENT, "def solve(:", "def solve(x): return 0"):
                with self.subTest(tests, program=program):
                    self.assertEqual(self.judged(program, tests, "TestsUnusable")["error"], why)

    def test_a_name_that_nothing_defines_is_the_tests_mistake_and_a_missing_helper_the_programs(self):
        self.assertEqual(
            self.judged(INCREMENT, "x = 1\nassert solve(1) == undefined", "TestsUnusable")["error"],
            "line 2: NameError: name 'undefined' is not defined",
        )
        for tests in (
            "assert helper(1) == 2",
            "from solution import helper\nassert helper(1) == solve(1)",
            "try: solve(1)\nexcept helper: pass\nassert helper.x",
        ):
            self.assertIn("helper", self.judged(INCREMENT, tests, "Error")["error"])

    def test_tests_are_tried_before_there_is_a_program(self):
        for tests, why in UNUSABLE.items():
            self.assertEqual(
                self.runner.post("/tests", {"entryPoint": "solve", "tests": tests}),
                (200, {"usable": False, "error": why}),
            )
        for tests, why in {
            "": "the tests never use solve",
            "assert True": "the tests never use solve",
            "assert other(1) == 2": "the tests never use solve",
            "print(solve(1))": "the tests use solve but check nothing",
            "assert math.isclose(solve(1), 2)": "the tests use math and never import it",
            "import tessera\nassert tessera.pare('abc') == solve('b')": "",
            "assert solve(1) == 2": "",
            "def check(candidate):\n    assert candidate(1) == 2\n": "",
            "from solution import solve as s\nassert s(1) == 2": "",
            "import solution\nassert solution.solve(1) == 2": "",
        }.items():
            with self.subTest(tests):
                self.assertEqual(
                    self.runner.post("/tests", {"entryPoint": "solve", "tests": tests}),
                    (200, {"usable": not why, "error": why}),
                )
        self.assertEqual(self.runner.post("/tests", {"entryPoint": "solve"})[0], 400)

    def test_every_usual_way_to_check_counts(self):
        for tests in CHECKS:
            with self.subTest(tests):
                self.judged(
                    "def solve(x):\n    if x < 0: raise ValueError('negative')\n    return x + 1", tests, "Passed"
                )
                self.assertFalse(self.runner.execute("def solve(x):\n    return 17", tests)["passed"])

    def test_tests_may_close_their_output(self):
        self.judged(INCREMENT, "import sys\nassert solve(1) == 2\nsys.stdout.close()", "Passed")

    def test_tests_that_leave_say_how(self):
        answer = self.judged("def solve(x): return 3", "import sys\nif solve(1) != 2:\n    sys.exit(1)", "Failed")
        self.assertEqual(answer["error"], "the tests ended with exit code 1")

    def test_a_table_of_thousands_of_cases_costs_little(self):
        tests = "import time\nstart = time.process_time()\nCASES = [([k, [k]], (k, [k])) for k in range(2000)]\nfor given, wanted in CASES:\n    assert solve(given) == wanted\nassert time.process_time() - start < 3"
        self.judged("def solve(x):\n    return tuple(x)", tests, "Passed", timeoutSeconds=30)

    def test_thousands_of_assertions_cost_little(self):
        tests = "".join(f"assert solve({k}) == {k + 1}\n" for k in range(3000))
        self.assertLess(_cpu_seconds(lambda: prepare(tests, "<tests>", "solve", Tally())), 1)
        self.judged(INCREMENT, tests[:65536].rpartition("\n")[0], "Passed", timeoutSeconds=20)

    def test_an_error_can_be_written_down_whatever_the_program_says(self):
        answer = self.judged(
            "def solve(x):\n    raise ValueError('\\ud800' + 'x' * 9999)", "assert solve(1) == 1", "Error"
        )
        self.assertEqual((answer["error"][:13], len(answer["error"])), ("ValueError: ?", 2000))

    def test_a_long_wrong_answer_is_shown_in_short(self):
        answer = self.judged(
            "def solve(x):\n    return 'x' * 100_000", "got = solve(1)\nassert got == 1, f'got {got}'\n", "Failed"
        )
        self.assertEqual((len(answer["error"]), answer["stderr"]), (2000, ""))

    def test_async_and_threads_and_children_work_inside(self):
        program = "import asyncio, subprocess, sys, threading, tempfile\nasync def three():\n    await asyncio.sleep(0)\n    return 3\ndef solve():\n    t = threading.Thread(target=print); t.start(); t.join()\n    with tempfile.TemporaryFile() as f: f.write(b'x')\n    return asyncio.run(three()), subprocess.run([sys.executable, '-c', 'print(4)'], capture_output=True, text=True).stdout\n"
        self.judged(program, "assert solve() == (3, '4\\n')", "Passed")


if __name__ == "__main__":
    unittest.main()

"""Whatever a program raises, the tests see what plain Python would show them, and no exception ends them silently."""

import unittest

from rune_sandbox.errors import builtin_exceptions
from rune_sandbox.harness import LiveRunner
from rune_sandbox.test_fairness import plainly

# A program that raises each built-in exception, by its name; and a subclass of each.
RAISING = """
import builtins
SPECIAL = {
    "UnicodeDecodeError": ("utf-8", b"x\\xff", 1, 2, "odd"), "UnicodeEncodeError": ("ascii", "x\\xe9", 1, 2, "odd"),
    "UnicodeTranslateError": ("xyz", 1, 2, "odd"), "BaseExceptionGroup": ("many", [KeyboardInterrupt(1), ValueError(2)]),
    "ExceptionGroup": ("many", [ValueError(1), TypeError(2)]), "OSError": (2, "nothing there", "name"),
    **{name: ("bad", ("file", 3, 4, "text", 3, 5)) for name in ("SyntaxError", "IndentationError", "TabError")},
}
def solve(name, own):
    kind = getattr(builtins, name)
    if own:
        kind = type("Own", (kind,), {"code": 7})
    error = kind(*SPECIAL.get(name, ("one", 2)))
    error.extra = [1, {"a": 2}]
    raise error
"""
SEEN = """
import builtins
def see(name, own):
    try:
        solve(name, own)
    except BaseException as e:
        return [
            sorted(n for n, k in vars(builtins).items() if isinstance(k, type) and issubclass(k, BaseException) and isinstance(e, k)),
            type(e).__name__, str(e), e.extra, len(e.args), [str(x) for x in getattr(e, "exceptions", ())],
        ]
    return "nothing"
"""


class Exceptions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.runner = cls.enterClassContext(LiveRunner())

    def passed(self, program: str, tests: str) -> bool:
        return self.runner.execute(program, tests)["passed"]

    def test_every_built_in_exception_keeps_its_class_its_bases_and_its_words(self):
        names = [kind.__name__ for kind in builtin_exceptions() if kind not in (StopIteration, StopAsyncIteration)]
        self.assertGreater(len(names), 60)
        scope: dict = {}
        exec(RAISING + SEEN, scope)
        wanted = {(name, own): scope["see"](name, own) for name in names for own in (False, True)}
        tests = f"{SEEN}\nfor (name, own), wanted in {wanted!r}.items():\n    got = see(name, own)\n    assert got == wanted, (name, own, got, wanted)"
        answer = self.runner.execute(RAISING, tests, timeoutSeconds=30)
        self.assertTrue(answer["passed"], answer)

    def test_no_exception_passes_tests_without_a_check_behind_it(self):
        tests = (
            "assert all(map(lambda c: solve(c) == c + 1, [1, 2]))",
            "for got, want in zip(map(solve, [1, 2]), [2, 3]):\n    assert got == want",
            "def answers():\n    yield solve(1)\nfor each in answers(): assert each == 2",
            "assert solve(1) == 2",
            "try: solve(1)\nexcept Exception: pass",
            "try: got = solve(1)\nexcept Exception: pass\nelse: assert got == 2, 'wrong'",
            "try: solve(1)\nexcept BaseException: pass",
            "import contextlib\nwith contextlib.suppress(Exception): solve(1)",
            "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(solve(1), 2)",
            "class TestIt:\n    def test_it(self): assert solve(1) == 2",
            "import asyncio\nasync def test_it(): assert solve(1) == 2",
            "import asyncio\nasync def main():\n    async with asyncio.TaskGroup() as g: g.create_task(one())\nasync def one(): assert solve(1) == 2\nasyncio.run(main())",
        )
        silent = ("StopIteration()", "SystemExit(0)", "KeyboardInterrupt()", "GeneratorExit()", "StopAsyncIteration()")
        silent += (
            "asyncio.CancelledError()",
            "unittest.SkipTest()",
            "type('Exit', (SystemExit,), {})(0)",
            "AssertionError()",
        )
        groups = ("ExceptionGroup('x', [StopIteration()])", "BaseExceptionGroup('x', [SystemExit(0)])")
        others = [
            f"{kind.__name__}()"
            for kind in builtin_exceptions()
            if not issubclass(kind, (UnicodeError, BaseExceptionGroup))
        ]
        for raised, checks in [
            *((each, tests) for each in silent),
            *((each, tests[:1]) for each in (*groups, *others)),
        ]:
            for check in checks:
                with self.subTest(f"{raised}: {check[:50]}"):
                    self.assertFalse(self.passed(f"import asyncio, unittest\ndef solve(x): raise {raised}", check))

    def test_a_stop_iteration_arrives_where_the_tests_wait_for_it(self):
        program = "def solve(x):\n    if x: raise StopIteration(x)\n    return 1\n"
        for check in (
            "try:\n    solve(1)\n    ended = False\nexcept StopIteration as e:\n    ended = e.value == 1\nassert ended",
            "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        with self.assertRaises(StopIteration): solve(1)\n        self.assertRaises(StopIteration, solve, 1)",
        ):
            self.assertTrue(self.passed(program, check))
        self.assertFalse(self.passed(program, "try: solve(0)\nexcept StopIteration: pass\nassert all(map(solve, [1]))"))

    def test_what_errors_carry_is_as_in_plain_python(self):
        cases = {
            "attributes, notes and causes": (
                "class Bad(ValueError):\n    def __init__(self, code):\n        super().__init__(f'bad {code}'); self.code = code\n    def __str__(self): return 'Bad!' + self.args[0]\ndef solve(x):\n    try: {}['k']\n    except KeyError as e:\n        b = Bad(x); b.add_note('n'); raise b from e",
                "try: solve(7)\nexcept ValueError as e:\n    assert (str(e), e.args, e.code, e.__notes__) == ('Bad!bad 7', ('bad 7',), 7, ['n'])\n    assert isinstance(e.__cause__, KeyError) and e.__cause__.args == ('k',)\nelse: assert False",
            ),
            "classes that the tests name": (
                "class Base(Exception): pass\nclass Odd(Base): pass\ndef solve(x): raise Odd('x')",
                "from solution import Odd\ntry: solve(1)\nexcept Base as e: assert type(e) is Odd and isinstance(e, Odd)\nelse: assert False\ntry: raise Odd('mine')\nexcept Base as e: assert str(e) == 'mine'",
            ),
            "another class doesn't do": (
                "class Odd(Exception): pass\nclass Other(Exception): pass\ndef solve(x): raise Other",
                "try: solve(1)\nexcept Odd: pass\nelse: assert False",
            ),
            "classes of the standard library": (
                "import json, queue, subprocess\ndef solve(x): raise [json.JSONDecodeError('m', 'doc', 1), queue.Empty(), subprocess.CalledProcessError(3, 'c')][x]",
                "import json, queue, subprocess\ntry: solve(0)\nexcept json.JSONDecodeError as e: assert (e.pos, e.doc, e.msg) == (1, 'doc', 'm')\ntry: solve(1)\nexcept queue.Empty: ok = True\nassert ok\ntry: solve(2)\nexcept subprocess.CalledProcessError as e: assert e.returncode == 3",
            ),
            "exits": (
                "import sys\ndef solve(x): sys.exit(x)",
                "for code in (2, 'text', None):\n    try: solve(code)\n    except SystemExit as e: assert e.code == code\n    else: assert False",
            ),
            "errno": (
                "def solve(x): open('nowhere/at/all')",
                "import errno\ntry: solve(1)\nexcept FileNotFoundError as e: assert e.errno == errno.ENOENT and e.filename == 'nowhere/at/all'",
            ),
            "a plain Exception is no RuntimeError": (
                "def solve(x): raise Exception('x')",
                "try: solve(1)\nexcept RuntimeError: kind = 1\nexcept Exception: kind = 2\nassert kind == 2",
            ),
            "an exit is no RuntimeError": (
                "def solve(x): raise SystemExit",
                "try: solve(1)\nexcept RuntimeError: ok = True\nexcept BaseException: ok = False\nassert ok",
            ),
            "exceptions that are returned": (
                "def solve(x): return ValueError('x')",
                "e = solve(1)\nassert isinstance(e, ValueError) and e.args == ('x',)",
            ),
            "attributes that a program makes up": (
                "class E(Exception):\n    @property\n    def __class__(self): return ValueError\ndef solve(x): raise E",
                "try: solve(1)\nexcept ValueError: ok = True\nexcept Exception: ok = False\nassert ok",
            ),
        }
        for name, (program, tests) in cases.items():
            with self.subTest(name):
                answer = self.runner.execute(program, tests)
                self.assertEqual(answer["passed"], plainly(program, tests), answer)


if __name__ == "__main__":
    unittest.main()

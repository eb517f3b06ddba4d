"""Runs what a test file only defines: HumanEval's `check`, `test_…` functions, classes of pytest's style, unittest's TestCases."""

import inspect
import sys
import types
from typing import Any

from rune_sandbox.instrument import Tally


def run(scope: dict[str, Any], tally: Tally, entry: Any) -> None:
    """Raises the first failure."""
    for name in tally.uncalled():
        _finished(scope[name](*([entry] if name == "check" else [])))
    for value in [value for value in scope.values() if isinstance(value, type) and value.__module__ == "__main__"]:
        if _is_case(value):
            continue
        if value.__name__.startswith("Test") and not {"__init__", "__new__"} & vars(value).keys():
            _run_class(value)
    if any(_is_case(value) for value in scope.values()):
        _run_cases(scope, tally)


def _is_case(value: Any) -> bool:
    unittest = sys.modules.get("unittest")
    return (
        unittest is not None
        and isinstance(value, type)
        and value.__module__ == "__main__"
        and issubclass(value, unittest.TestCase)
    )


def neutralize_main() -> None:
    """`unittest.main()` at the end of the tests: their cases are run anyway, once, and it must not exit before."""
    if "unittest" in sys.modules:
        import unittest

        # pyrefly: ignore [bad-assignment]  (not the class that it is, for it must do nothing)
        unittest.main = lambda *_, **__: types.SimpleNamespace(result=unittest.TestResult())


def _finished(result: Any) -> None:
    if inspect.iscoroutine(result):
        import asyncio

        asyncio.run(result)


def _run_class(kind: type) -> None:
    """pytest's: a new instance for each method."""
    _optional(kind, "setup_class")
    for name in [name for name in dir(kind) if name.startswith("test") and callable(getattr(kind, name))]:
        instance = kind()
        _optional(instance, "setup_method")
        try:
            _finished(getattr(instance, name)())
        finally:
            _optional(instance, "teardown_method")
    _optional(kind, "teardown_class")


def _optional(holder: Any, name: str) -> None:
    method = getattr(holder, name, None)
    if callable(method):
        method(*[None] * _required(method))


def _required(method: Any) -> int:
    return sum(
        parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in inspect.signature(method).parameters.values()
    )


def _run_cases(scope: dict[str, Any], tally: Tally) -> None:
    """By unittest's own suite and result: fixtures of class and module, subtests, expected failures."""
    import unittest

    class Result(unittest.TestResult):
        """Keeps the first failure."""

        first: BaseException | None = None

        def _note(self, error: BaseException) -> None:
            self.first = self.first or error
            self.stop()

        def addError(self, test: Any, err: Any):
            self._note(err[1])

        def addFailure(self, test: Any, err: Any):
            self._note(err[1])

        def addSubTest(self, test: Any, subtest: Any, err: Any):
            if err is not None:
                self._note(err[1])

        def addExpectedFailure(self, test: Any, err: Any):
            tally.checked()

        def addUnexpectedSuccess(self, test: Any):
            self._note(AssertionError(f"{test.id().rpartition('.')[2]} was expected to fail, and did not"))

    loader, suite = unittest.defaultTestLoader, unittest.TestSuite()
    for value in scope.values():
        if _is_case(value):
            suite.addTest(loader.loadTestsFromTestCase(value))
    result = Result()
    suite.run(result)
    if result.first is not None:
        raise result.first

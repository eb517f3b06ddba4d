"""The process that runs the task's tests. The untrusted program never runs in here: the entry point is a proxy that asks the candidate."""

import builtins
import contextlib
import json
import os
import sys
import types
import unittest

from rune_sandbox import wire
from rune_sandbox.candidate import tell
from rune_sandbox.processes import CHANNEL_FD, REPORT_FD
from rune_sandbox.instrument import MAX_VALUE, Tally, instrument, shown

MAX_ERROR = 2000
TESTS_FILE = "<tests>"


class Lost(BaseException):
    """The candidate can't be asked any more. No `except Exception` in a test may swallow that."""


class Uncrossable(BaseException):
    """A value that is no plain data was passed or returned: the test can't be judged."""


def run(document: dict) -> None:
    """Report one verdict, with the nonce that only the runner and this process know, and end."""
    judge = Judge(wire.Channel(CHANNEL_FD), document["entryPoint"])
    outcome, error = judge.verdict(document["tests"])
    verdict = {"nonce": document["nonce"], "outcome": outcome, "error": error[:MAX_ERROR], "lost": isinstance(judge.fault, Lost)}
    sys.stdout.flush()
    sys.stderr.flush()
    with open(REPORT_FD, "w", encoding="utf-8") as report:
        json.dump(verdict, report)
    os._exit(0)


class Judge:
    def __init__(self, channel: wire.Channel, entry_point: str):
        self._channel = channel
        self._entry_point = entry_point
        self._tally = Tally()
        self._raised: BaseException | None = None  # what the candidate raised last
        self.fault: BaseException | None = None  # once set, nothing passes, whatever the tests swallow

    def verdict(self, tests: str) -> tuple[str, str]:
        """(outcome, error in one line)."""
        try:
            self._await_program()
            self._run(tests)
        except BaseException as error:
            return self._failure(self.fault or error)
        if self.fault:
            return self._failure(self.fault)
        if self._tally.calls == 0:
            return "NoTests", f"the tests never called {self._entry_point}"
        if self._tally.checks == 0:
            return "NoTests", f"the tests called {self._entry_point} but checked nothing"
        return "Passed", ""

    def _failure(self, error: BaseException) -> tuple[str, str]:
        if isinstance(error, (Lost, Uncrossable)):
            return "Error", _text(error)
        line = ": ".join(part for part in (type(error).__name__, _text(error)) if part)
        if isinstance(error, MemoryError):
            return "OutOfMemory", line
        if isinstance(error, AssertionError) and error is not self._raised:
            return "Failed", line
        if error is not self._raised:
            tell(error, TESTS_FILE)  # the tests' own mistake; the candidate has told its own
        return "Error", line

    def _await_program(self) -> None:
        answer = self._ask(None)
        if "raised" in answer:
            raise self._rebuilt(answer["raised"])

    def _run(self, tests: str) -> None:
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        scope = module.__dict__
        scope[self._entry_point] = scope["candidate"] = self._proxy()
        code = instrument(tests, TESTS_FILE, self._entry_point, self._tally, scope)
        try:
            exec(code, scope)
        except SystemExit as leaving:
            if leaving.code not in (None, 0, False):
                raise
        self._run_collected(scope)

    def _run_collected(self, scope: dict) -> None:
        """What a test file only defines: HumanEval's `check`, `test_…` functions, TestCases."""
        for name in self._tally.uncalled():
            scope[name](*([scope[self._entry_point]] if name == "check" else []))
        cases = [
            value
            for value in scope.values()
            if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == "__main__"
        ]
        for case in cases:
            case.setUpClass()
            for test in unittest.defaultTestLoader.loadTestsFromTestCase(case):
                with contextlib.suppress(unittest.SkipTest):
                    test.debug()
            case.tearDownClass()

    def _proxy(self):
        def ask(*arguments, **named):
            self._tally.calls += 1
            shown = _shown_call(self._entry_point, arguments, named)
            try:
                call = {"arguments": wire.encode(arguments), "named": wire.encode(named)}
            except wire.Unsupported as error:
                raise self._faulted(Uncrossable(f"the tests call {self._entry_point} with a {error}")) from None
            answer = self._ask(call)
            if "raised" in answer:
                raise self._rebuilt(answer["raised"])
            if "returned" not in answer:
                raise self._faulted(Uncrossable(f"{shown} returned a {str(answer.get('unsupported', 'malformed answer'))[:MAX_VALUE]}"))
            result = self._decoded(answer["returned"])
            self._tally.saw(shown, result)
            return result

        ask.__name__ = ask.__qualname__ = self._entry_point
        return ask

    def _ask(self, call: dict | None) -> dict:
        if self.fault:
            raise self.fault
        try:
            if call is not None:
                self._channel.send(call)
            return self._channel.receive()
        except (wire.Broken, wire.Unsupported) as error:
            raise self._faulted(Lost(f"the program ended before the tests did ({error})")) from None

    def _decoded(self, form):
        try:
            return wire.decode(form)
        except wire.Broken as error:
            raise self._faulted(Lost(f"the program answered with {error}")) from None

    def _faulted(self, fault: BaseException) -> BaseException:
        self.fault = self.fault or fault
        return fault

    def _rebuilt(self, description: dict) -> BaseException:
        """The candidate's exception as the same built-in, or as a subclass, named alike, of its nearest built-in."""
        try:
            self._raised = _exception(description)
        except Exception:
            raise self._faulted(Lost("the program raised something malformed")) from None
        return self._raised


def _exception(description: dict) -> Exception:
    name, message = str(description["type"])[:100], str(description["message"])
    base = next(kind for kind in map(_builtin, [*description["kinds"], "RuntimeError"]) if kind)
    kind = base if base.__name__ == name else type(name, (base,), {})
    arguments = tuple(wire.decode(description["arguments"])) if "arguments" in description else (message,)
    for attempt in (arguments, (message,)):
        try:
            error = kind(*attempt)
            if str(error) == message:
                return error
        except Exception:
            continue
    return type(name, (kind,), {"__init__": lambda self: None, "__str__": lambda self: message})()


def _builtin(name) -> type | None:
    """A built-in that a test could sensibly catch; Exception itself and what isn't one (SystemExit) become RuntimeErrors."""
    kind = getattr(builtins, name, None) if isinstance(name, str) else None
    return kind if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception else None


def _shown_call(name: str, arguments: tuple, named: dict) -> str:
    return f"{name}({', '.join([*map(shown, arguments), *(f'{key}={shown(value)}' for key, value in named.items())])})"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its message can't be printed)"

"""The process that runs the task's tests. The untrusted program never runs in it:
its objects are proxies that query the candidate.
"""

import contextlib
import json
import os
import sys
import threading
import types
from typing import Any

from rune_sandbox import collect, errors, offered_objects, wire
from rune_sandbox.candidate import tell
from rune_sandbox.class_names import is_class_name
from rune_sandbox.heap import Heap
from rune_sandbox.instrument import MAX_VALUE, Prepared, Tally, install, shown
from rune_sandbox.peer import Peer, short
from rune_sandbox.processes import CHANNEL_FD, REPORT_FD
from rune_sandbox.proxies import Proxies
from rune_sandbox.replacements import Replaced
from rune_sandbox.stops import (
    MAX_ERROR,
    Lost,
    Spent,
    Stop,
    TooDeep,
    TooMuch,
    Uncrossable,
    Unusable,
)
from rune_sandbox.validation import TESTS_FILE, prepared

_REMEMBERED = 64  # exceptions of the program, to tell them from the tests' own
_SMALL_BYTES = 64 << 10  # if the program sent less than this, large values are the tests' own


def run(document: dict[str, Any]) -> None:
    """Report one verdict, with the nonce that only the runner and this process have, and exit."""
    judge = Judge(document["tests"], document["entryPoint"], document["frameBytes"])
    outcome, error = judge.verdict()
    verdict = {
        "nonce": document["nonce"],
        "outcome": outcome,
        "error": error[:MAX_ERROR],
        "lost": isinstance(judge.fault, Lost),
    }
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(OSError, ValueError):  # the tests may have closed it
            if stream is not None:
                stream.flush()
    with open(REPORT_FD, "w", encoding="utf-8") as report:
        json.dump(verdict, report)
    os._exit(0)


class Judge:
    _peer: Peer  # set in `verdict`, like what was prepared
    _prepared: Prepared

    def __init__(self, tests: str, entry_point: str, frame_bytes: int):
        self._tests = tests
        self._entry_point = entry_point
        self._frame_bytes = frame_bytes
        self._tally = Tally()
        self._proxies = Proxies(self._value, self._subclassed)
        self._heap = Heap(0, offered_objects.describe, self._proxies.adopt)
        self._turn = threading.RLock()
        self._directory = os.getcwd()
        self._wording = False  # whether a call is being formatted
        self._depth = 0  # questions that wait for each other; a failed one ends the tests, so it isn't counted back
        self._raised: list[BaseException] = []
        self._missing: dict[str, bool] = {}
        self._replaced = Replaced()
        self.fault: Stop | None = None  # once set, nothing passes, whatever the tests swallow

    def verdict(self) -> tuple[str, str]:
        """(outcome, error in one line)."""
        try:
            self._prepared = prepared(self._tests, self._entry_point, self._tally)
            self._replaced.seeds = self._prepared.seeds
            channel = wire.Channel(CHANNEL_FD, self._frame_bytes)
            self._peer = Peer(channel, self._heap, self._perform)
            self._run(self._answered(self._peer.hear))
        except BaseException as error:
            return self._failed(self.fault or error)
        if self.fault:
            return self._failed(self.fault)
        if self._tally.calls == 0:
            return "NoTests", f"the tests never called {self._entry_point}"
        if self._tally.checks == 0:
            return "NoTests", f"the tests called {self._entry_point} but checked nothing"
        if self._tally.unseen is not None:
            return (
                "NoTests",
                f"the program raised {errors.line(self._tally.unseen)}, and the tests checked nothing after it",
            )
        return "Passed", ""

    def _failed(self, error: BaseException) -> tuple[str, str]:
        """As `_failure`. Errors of the program may fail again while they are formatted: that is the program's error."""
        try:
            return self._failure(error)
        except BaseException as another:
            return "Error", f"{type(error).__name__} (putting it in words ended in {type(another).__name__})"

    def _failure(self, error: BaseException) -> tuple[str, str]:
        if isinstance(error, Stop):
            return error.outcome, errors.text(error)
        error = self._decisive(error)
        if isinstance(error, MemoryError):
            return "OutOfMemory", errors.line(error)
        if self._is_programs(error):
            if isinstance(error, OSError) and str(error.filename).startswith(self._directory):
                return (
                    "TestsUnusable",
                    f"the tests hand the program a file of theirs, which it can't open: {errors.line(error)}",
                )
            return "Error", errors.line(error)
        if isinstance(error, AssertionError):
            return "Failed", errors.line(error)
        if isinstance(error, SystemExit):
            return "Failed", f"the tests ended with exit code {error.code!r:.100}"
        tell(error, TESTS_FILE)  # the tests' own mistake; the candidate has printed its own
        return self._own_mistake(error)

    def _own_mistake(self, error: BaseException) -> tuple[str, str]:
        if isinstance(error, NameError) and error.name is not None and self._missing.get(error.name):
            return "Error", f"NameError: the tests use {error.name!r}, which the program doesn't define"
        if isinstance(error, ImportError) and error.name == "solution":
            return "Error", errors.line(error)
        if isinstance(error, (NameError, ImportError)) and not isinstance(error, UnboundLocalError):
            return "TestsUnusable", f"{_where(error)}{errors.line(error)}"
        return "Error", errors.line(error)

    def _decisive(self, error: BaseException) -> BaseException:
        """For a group (an asyncio.TaskGroup's) what a single error would have meant: a failed assertion first."""
        if self._is_programs(error):
            return error
        leaves = _leaves(error)
        return next(
            (leaf for leaf in leaves if isinstance(leaf, AssertionError) and not self._is_programs(leaf)), leaves[0]
        )

    def _is_programs(self, error: BaseException) -> bool:
        return isinstance(error, errors.FromProgram) or any(error is raised for raised in self._raised)

    # running the tests

    def _run(self, entry: Any) -> None:
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        sys.modules["solution"] = _Solution(self._named, self._patched, [self._entry_point, *self._prepared.names])
        scope = module.__dict__
        self._about(self._entry_point, entry)
        scope[self._entry_point] = scope["candidate"] = entry
        for name, role in self._prepared.names.items():
            try:
                scope[name] = self._named(name)
            except AttributeError:
                self._missing[name] = role
        install(scope, self._tally)
        collect.neutralize_main()
        try:
            exec(self._prepared.code, scope)
        except SystemExit as leaving:
            if isinstance(leaving, errors.FromProgram) or leaving.code not in (None, 0, False):
                raise
        collect.run(scope, self._tally, entry)

    def _named(self, name: str):
        """What the program defines as `name`."""
        if name == self._entry_point and (entry := vars(sys.modules["__main__"]).get("candidate")) is not None:
            return entry
        try:
            value = self._answered(lambda: self._ask("name", name))
        except KeyError:
            raise AttributeError(f"the program defines no {name!r}") from None
        self._about(name, value)
        return value

    def _about(self, name: str, value: Any) -> None:
        """A class that the tests use as one decides by its own operators; a class in place of a function doesn't."""
        if is_class_name(name) or name in self._prepared.classes:
            self._proxies.name(value)

    def _subclassed(self, name: str):
        raise self._faulted(
            Unusable(f"the tests derive {name} from a class of the program, which lives in another process")
        )

    def _patched(self, name: str):
        raise self._faulted(Unusable(f"the tests replace {name!r} of the program, which lives in another process"))

    # querying the program

    def _value(self, operation: str, *operands: Any):
        """The program's answer, or its exception."""
        if self._wording and operation == "special" and operands[0] == "__repr__":
            return f"<{type(operands[1]).__name__}>"  # formatting a message must not query the program
        self._tally.calls += 1
        self._wording = True
        call = _shown(operation, operands)
        self._wording = False
        value = self._answered(lambda: self._ask(operation, *operands), operation, call)
        if operation in ("call", "special"):
            self._tally.saw(call, value)
        return value

    def _ask(self, operation: str, *operands: Any) -> tuple[str, list[Any]]:
        with self._turn:  # threads of the tests take turns
            around = self._replaced.given()
            self._heap.release()
            self._depth += 1
            how, values = self._peer.ask(operation, around, *operands)
            self._depth -= 1
            if around:
                self._take_back(around, values.pop())
            if self._depth == 0:
                self._heap.settle()
            return how, values

    def _take_back(self, around: dict[str, Any], changes: Any) -> None:
        try:
            self._replaced.take_back(around, changes)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise self._faulted(Lost("the program answered with something malformed")) from None

    def _answered(self, ask: Any, operation: str = "", call: str = ""):
        if self.fault:
            raise self.fault
        try:
            how, values = ask()
            (value,) = values
        except Uncrossable as error:
            raise self._faulted(Unusable(f"the tests pass {error}")) from None
        except wire.TooLarge as error:
            # What grew large on the program's side is the program's fault.
            kind = TooMuch if self._peer.heard_bytes > _SMALL_BYTES else Unusable
            raise self._faulted(kind(f"the tests call {call or self._entry_point} with {error}")) from None
        except (wire.Broken, ValueError) as error:
            raise self._faulted(Lost(f"the program ended before the tests did ({error})")) from None
        except RecursionError:
            raise self._faulted(TooDeep("RecursionError: program and tests call each other too deeply")) from None
        except MemoryError:
            raise self._faulted(Spent("the tests' memory is too small for what the program answered")) from None
        if how == "raised" and isinstance(value, BaseException):
            raise self._programs(value, operation)
        if how == "unsupported":
            raise self._faulted(TooMuch(f"{call} returned {short(value, MAX_VALUE)}"))
        if how not in ("returned", "stopped"):
            raise self._faulted(Lost("the program answered with something malformed"))
        return (how == "stopped", value) if operation in ("resume", "throw") else value

    def _programs(self, error: BaseException, operation: str) -> BaseException:
        """What the program raised, as the tests may see it."""
        if isinstance(error, (StopIteration, StopAsyncIteration)) and operation != "step" and not self._expects_stop():
            # As PEP 479: it ends no loop of the tests.
            cause, error = (
                error,
                RuntimeError(f"the program raised {type(error).__name__}"),
            )
            error.__cause__ = cause
        if (stand_in := errors.STAND_INS.get(type(error))) is not None:
            error = stand_in(*error.args)
        self._raised = [*self._raised[1 - _REMEMBERED :], error]
        self._tally.unseen = error
        return error

    def _expects_stop(self) -> bool:
        """Whether the tests' line that asked is one that expects a StopIteration."""
        frame = sys._getframe()
        while frame and frame.f_code.co_filename != TESTS_FILE:
            frame = frame.f_back
        return frame is not None and any(frame.f_lineno in lines for lines in self._prepared.stops)

    def _faulted(self, fault: Stop) -> Stop:
        self.fault = self.fault or fault
        return self.fault

    # operations of the program on objects of the tests

    def _perform(self, operation: str, operands: list[Any]) -> tuple[Any, ...]:
        try:
            action = offered_objects.ACTIONS.get(operation) if isinstance(operation, str) else None
            value = operands[1] if operation == "special" else operands[0] if operands else None
            if action is None or not self._heap.exported(value):
                raise TypeError("the tests have no such object")
            return "returned", action(*operands)
        except Stop:
            raise
        except StopIteration as end:
            return ("stopped", end.value) if operation in ("resume", "throw") else ("raised", end)
        except BaseException as error:
            if self.fault:
                raise
            return "raised", error


class _Solution(types.ModuleType):
    """The module of `import solution`: the program's names, looked up when they are used."""

    def __init__(self, named: Any, patched: Any, everything: list[str]):
        super().__init__("solution")
        vars(self).update(_rune=(named, patched), __all__=everything)

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(f"module 'solution' has no attribute {name!r}")
        return self._rune[0](name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._rune[1](name)


def _leaves(error: BaseException) -> list[BaseException]:
    """The errors of a group, however deep, in their order; another error as it is."""
    leaves: list[BaseException] = []
    left = [error]
    while left:
        each = left.pop()
        if isinstance(each, BaseExceptionGroup):
            left += reversed(each.exceptions)
        else:
            leaves.append(each)
    return leaves


def _where(error: BaseException) -> str:
    """`line 3: ` of the tests, if the error came from there."""
    line, trace = None, error.__traceback__
    while trace:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == TESTS_FILE else line
        trace = trace.tb_next
    return f"line {line}: " if line else ""


def _shown(operation: str, operands: tuple[Any, ...]) -> str:
    """`solve([1, 2], key=3)`, for the reader of an error."""
    if operation != "call":
        return f"{operands[0]}" if operation == "special" else operation
    function, keywords, *values = operands
    names = keywords.split("\0") if keywords else []
    first = len(values) - len(names)
    words = [
        *map(shown, values[:first]),
        *(f"{name}={shown(value)}" for name, value in zip(names, values[first:], strict=True)),
    ]
    return f"{getattr(function, '__name__', 'it')}({', '.join(words)})"

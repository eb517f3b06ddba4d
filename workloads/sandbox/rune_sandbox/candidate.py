"""The process of the untrusted program: loads it, then answers the judge's questions about its objects.
Only values are accepted from it.
"""

import contextlib
import linecache
import os
import sys
import traceback
import types
from typing import Any

from rune_sandbox import errors, wire
from rune_sandbox.heap import Heap
from rune_sandbox.peer import OPERATIONS, Peer, called, calling, generator, specials
from rune_sandbox.processes import CHANNEL_FD
from rune_sandbox.replacements import Surroundings

PROGRAM_FILE = "<program>"
MAX_TRACEBACK = 8000
_STEP_SECONDS = 0.02
_ITERATORS = ("builtins", "itertools", "_collections")  # modules whose iterators have no further operations


def run(document: dict[str, Any]) -> None:
    # pyrefly: ignore [missing-attribute]  (a TextIOWrapper: fork_server.py opened it)
    sys.stdout.reconfigure(line_buffering=True, errors="replace")
    channel = wire.Channel(CHANNEL_FD, document["frameBytes"])
    with contextlib.suppress(wire.Broken):  # the judge has seen enough
        Candidate(channel).serve(document["program"], document["entryPoint"])
    with contextlib.suppress(Exception):  # a program may have closed or replaced it
        sys.stdout.flush()
    os._exit(0)


class Candidate:
    def __init__(self, channel: wire.Channel):
        self._heap = Heap(1, self._describe, self._adopt, self._prefers_object)
        self._peer = Peer(channel, self._heap, self._perform)
        self._module = types.ModuleType("solution")
        # Classes that the tests have requested by name: theirs to look at, so never flattened.
        self._named: set[type] = set()
        self._loop: Any = None
        self._actions = {
            "name": self._name,
            "get": getattr,
            "set": setattr,
            "delete": delattr,
            "call": called,
            "special": lambda name, value, *operands: OPERATIONS[name](value, *operands),
            "resume": lambda value, sent: next(value) if sent is None else value.send(sent),
            "throw": lambda value, error: value.throw(error),
            "close": lambda value: value.close(),
            "start": self._start,
            "start next": lambda value, sent: self._start(_following(value, sent)),
            "step": self._step,
            "cancel": lambda task: task.cancel(),
        }

    def serve(self, program: str, entry_point: str) -> None:
        failure = self._load(program, entry_point)
        if failure is None:
            self._peer.say("returned", self._name(entry_point))
            self._peer.serve()
        else:
            self._peer.say("raised", failure)

    def _load(self, program: str, entry_point: str) -> BaseException | None:
        self._module.__file__ = PROGRAM_FILE
        sys.modules[self._module.__name__] = self._module
        linecache.cache[PROGRAM_FILE] = (len(program), None, program.splitlines(keepends=True), PROGRAM_FILE)
        try:
            exec(compile(program, PROGRAM_FILE, "exec"), self._module.__dict__)
            if not callable(self._module.__dict__.get(entry_point)):
                raise NameError(f"the program defines no function {entry_point!r}")
        except BaseException as error:
            tell(error, PROGRAM_FILE)
            return error
        return None

    # answering

    def _perform(self, operation: str, operands: list[Any]) -> tuple[Any, ...]:
        around, *operands = operands
        with Surroundings(around) as surroundings:
            try:
                answer = ("returned", self._actions[operation](*operands))
            except StopIteration as end:
                answer = (
                    ("stopped", end.value)
                    if operation in ("resume", "throw") or operands[0] == "__next__"
                    else ("raised", end)
                )
            except BaseException as error:
                if operation != "name":
                    tell(error, PROGRAM_FILE)
                answer = ("raised", error)
        return (*answer, surroundings.changes) if around else answer

    def _name(self, name: str):
        value = self._module.__dict__[name]
        if isinstance(value, type):
            self._named.add(value)
        return value

    def _start(self, awaitable: Any):
        """A task for what the tests await; it continues whenever they request any task's step."""
        import asyncio

        if self._loop is None:
            self._loop = asyncio.new_event_loop()

        async def whole():
            return await awaitable

        return self._loop.create_task(whole())

    def _step(self, task: Any):
        """[whether it is done, its result], after a short run of all tasks."""
        import asyncio

        self._loop.run_until_complete(asyncio.wait([task], timeout=_STEP_SECONDS))
        return [True, task.result()] if task.done() else [False, None]

    # objects of ours

    def _prefers_object(self, value: Any) -> bool:
        return bool(self._named) and not self._named.isdisjoint(type(value).__mro__)

    def _describe(self, value: Any) -> tuple[str, list[Any]]:
        if isinstance(value, BaseException):
            return errors.contents(value)
        if isinstance(value, type):
            if issubclass(value, BaseException):
                return "class", ["error", *errors.class_contents(value)]
            return "class", [
                "object",
                value.__module__,
                value.__qualname__,
                specials(value),
                *(base for base in value.__bases__ if base is not object),
            ]
        if isinstance(value, types.GeneratorType) or (
            hasattr(type(value), "__next__") and type(value).__module__ in _ITERATORS
        ):
            return "generator", []
        if isinstance(value, types.CoroutineType):
            return "coroutine", []
        if isinstance(value, types.AsyncGeneratorType):
            return "async generator", []
        if callable(value) and type(value).__module__ in ("builtins", "functools"):
            return "function", [
                str(getattr(value, "__name__", type(value).__name__)),
                getattr(value, "__doc__", None) or "",
            ]
        return "object", [type(value)]

    # objects of the tests

    def _adopt(self, tag: str, children: list[Any]):
        if tag == "error":
            return errors.rebuilt(*children)
        if tag == "error's rest":
            return errors.finished(*children)
        if tag == "class":
            return errors.adopted_class(*children[1:])
        return _THEIRS[tag](self._ask, *children)

    def _ask(self, operation: str, *operands: Any):
        how, (value, *_) = self._peer.ask(operation, *operands)
        if how == "raised":
            raise value
        if how == "unsupported":
            raise TypeError(value)
        return (how == "stopped", value) if operation in ("resume", "throw") else value


def _function(ask: Any, name: str):
    def function(*arguments, **named):  # pyrefly: ignore [implicit-any-parameter]  (its signature is shown to programs)
        return ask("call", function, *calling(arguments, named))

    function.__name__ = function.__qualname__ = name
    return function


async def _following(value: Any, sent: Any):
    """[whether an asynchronous generator has ended, its next value]."""
    try:
        return [False, await value.asend(sent)]
    except StopAsyncIteration:
        return [True, None]


def _object(ask: Any, name: str, defined: str):
    """An instance of a class of the tests."""

    def forward(special: str):
        def method(self, *operands):  # pyrefly: ignore [implicit-any-parameter]  (its signature is shown to programs)
            return ask("special", special, self, *operands)

        return method

    members = {special: forward(special) for special in defined.split() if special in OPERATIONS}
    if "__call__" in members:
        members["__call__"] = lambda self, *arguments, **named: ask("call", self, *calling(arguments, named))
    members |= {
        "__getattr__": lambda self, attribute: ask("get", self, attribute),
        "__setattr__": lambda self, attribute, value: ask("set", self, attribute, value),
    }
    return type(name, (), members)()


_THEIRS = {"function": _function, "generator": generator, "object": _object}


def tell(error: BaseException, file: str) -> None:
    """Print its traceback from the first line of `file` on: the runner's own frames don't help the reader."""
    frame = error.__traceback__
    while frame and frame.tb_frame.f_code.co_filename != file:
        frame = frame.tb_next
    with contextlib.suppress(Exception):
        print(
            "".join(traceback.format_exception(type(error), error, frame))[-MAX_TRACEBACK:],
            end="",
            file=sys.stderr,
            flush=True,
        )

"""Exceptions that cross: rebuilt as the same class where both sides have it, else as a class of that name below the
same built-ins.

An exception that would end the tests silently arrives as a stand-in: `except SystemExit` and `assertRaises(SystemExit)`
accept it, and uncaught it is an error of the program, never an end of the tests.
"""

import builtins
import sys
from typing import Any

_MAX_MESSAGE = 4000
_MAX_NAME = 100
# what the standard library's own code uses as a signal, not as an error
_SIGNS = {
    ("unittest.case", "SkipTest"),
    ("unittest.case", "_ShouldStop"),
    ("asyncio.exceptions", "CancelledError"),
    ("bdb", "BdbQuit"),
}
_SLOTS = {
    ImportError: ("name", "path"),
    NameError: ("name",),
    AttributeError: ("name",),
    OSError: ("errno", "strerror", "filename"),
}
_KEPT = ("_rune_message", "start", "end", "object")  # a UnicodeError's positions are checked when it is made, never set
_SPECIAL = ("__cause__", "__context__", "__suppress_context__", "__notes__")


class FromProgram:
    """Marks what the program raised and no `except` of ours may mistake for the tests' own exit."""


def _stand_in(kind: type) -> type:
    return type(kind.__name__, (FromProgram, kind), {"__module__": "builtins"})


STAND_INS: dict[type[BaseException], type[BaseException]] = {
    kind: _stand_in(kind) for kind in (SystemExit, KeyboardInterrupt, GeneratorExit)
}


def text(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_MESSAGE]
    except BaseException:  # a message is made by code of the program, which may raise anything
        return "(its message can't be printed)"


def line(error: BaseException) -> str:
    """`ValueError: what it says`."""
    return ": ".join(part for part in (type(error).__name__, text(error)) if part)


def contents(error: BaseException) -> tuple[str, list[Any]]:
    """Children of an exception's node: class, message, arguments, then what is set after it is created."""
    attributes = {
        name: value
        for name, value in getattr(error, "__dict__", {}).items()
        if name not in _SPECIAL and not isinstance(value, BaseException)
    }
    for kind, names in _SLOTS.items():
        if isinstance(error, kind):
            attributes |= {name: value for name in names if (value := getattr(error, name, None)) is not None}
    rest = [
        error.__cause__,
        error.__context__,
        error.__suppress_context__,
        *(part for pair in attributes.items() for part in pair),
    ]
    return "error", [type(error), text(error), _arguments(error), list(getattr(error, "__notes__", ())), *rest]


def _arguments(error: BaseException) -> tuple[Any, ...]:
    if isinstance(error, BaseExceptionGroup):
        return (error.message, *error.exceptions)
    return () if any(argument is error for argument in error.args) else tuple.__getitem__(error.args, slice(None))


def class_contents(kind: type) -> list[Any]:
    """Children of an exception class's node: module, name, its bases, built-in or not."""
    return [
        kind.__module__,
        kind.__qualname__,
        *(base for base in kind.__bases__ if base is not object and issubclass(base, BaseException)),
    ]


def adopted_class(module: str, name: str, *bases: type) -> type:
    """Our own class for one of the peer's: the standard library's if it is there already, else a new one below `bases`."""
    if (known := _standard(module, name)) is not None:
        return known
    if not bases or not all(isinstance(base, type) and issubclass(base, BaseException) for base in bases):
        raise ValueError("an exception's bases are exceptions")
    short = str(name).rpartition(".")[2][:_MAX_NAME]
    safe = tuple(STAND_INS.get(base, base) for base in bases)
    return type(short, safe, {"__module__": module_name(module), "__str__": _message, "__init__": _keep_arguments})


def module_name(name: Any) -> str:
    """The module that a class of the program claims. `__main__` would make it one of the tests' own."""
    return "solution" if name == "__main__" else str(name)[:_MAX_NAME]


def _standard(module: Any, name: Any) -> type | None:
    if (
        not isinstance(module, str)
        or not isinstance(name, str)
        or module.partition(".")[0] not in sys.stdlib_module_names
        or (module, name) in _SIGNS
    ):
        return None
    kind = getattr(sys.modules.get(module), name, None)
    return kind if isinstance(kind, type) and issubclass(kind, BaseException) and kind.__module__ == module else None


def _message(self: Any) -> str:
    said = self.__dict__.get("_rune_message")
    if said is not None:
        return said
    mro = type(self).__mro__
    shown: Any = next(kind for kind in mro if "__str__" in vars(kind) and vars(kind)["__str__"] is not _message)
    return shown.__str__(self)


def _keep_arguments(self: Any, *arguments: Any, **named: Any) -> None:
    """A program's own __init__ may take anything; its result crosses as attributes."""
    known = next(
        kind
        for kind in type(self).__mro__
        if kind.__module__ == "builtins" and kind is not object and kind not in STAND_INS.values()
    )
    try:
        known.__init__(self, *arguments)
    except Exception:
        self.args = arguments


def rebuilt(kind: type, message: str, arguments: tuple[Any, ...]) -> BaseException:
    """An exception of `kind` that prints as `message`."""
    kind = STAND_INS.get(kind, kind)
    if not (
        isinstance(kind, type)
        and issubclass(kind, BaseException)
        and isinstance(message, str)
        and isinstance(arguments, tuple)
    ):
        raise ValueError("no exception")
    try:
        error = kind(*_as_given(kind, arguments))
        if text(error) == message[:_MAX_MESSAGE] or isinstance(error, BaseExceptionGroup):
            return error
        if any(vars(each).get("__str__") is _message for each in kind.__mro__):
            error.__dict__["_rune_message"] = message
            return error
    except Exception:
        pass
    return _forced(kind, message, arguments)


def _as_given(kind: type, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if issubclass(kind, BaseExceptionGroup):
        return (arguments[0], list(arguments[1:]))
    if issubclass(kind, (UnicodeEncodeError, UnicodeDecodeError, UnicodeTranslateError)) and len(arguments) >= 4:
        *before, start, end, reason = (
            arguments  # str() of positions out of range reads outside its text before CPython 3.13
        )
        most = len(before[-1])
        start = max(0, min(start, most - 1))
        return (*before, start, max(start, min(end, most)), reason)
    return arguments


def _forced(kind: type[BaseException], message: str, arguments: tuple[Any, ...]) -> BaseException:
    """For a class whose instances print differently, or that can't be created from plain arguments."""
    named: Any = type(
        kind.__name__, (kind,), {"__module__": kind.__module__, "__str__": _message, "__init__": _keep_arguments}
    )
    try:
        error = named.__new__(named, *_as_given(kind, arguments))
    except Exception:
        error = (
            named.__new__(named, message, [Exception(message)])
            if issubclass(kind, BaseExceptionGroup)
            else named.__new__(named)
        )
    error.args = arguments
    error.__dict__["_rune_message"] = message
    return error


def finished(
    error: BaseException, notes: list[Any], cause: Any, context: Any, suppress: bool, *attributes: Any
) -> None:
    """Set what an exception carries besides its arguments; attributes that can't be set stay unchanged."""
    for name, value in zip(attributes[::2], attributes[1::2], strict=True):
        if (
            isinstance(name, str)
            and not name.startswith("__")
            and name not in _KEPT
            and not callable(getattr(type(error), name, None))
        ):
            try:
                setattr(error, name, value)
            except (AttributeError, TypeError):
                continue
    for note in notes:
        error.add_note(str(note))
    error.__cause__ = cause if isinstance(cause, BaseException) else None
    error.__context__ = context if isinstance(context, BaseException) and context is not error else None
    error.__suppress_context__ = bool(suppress)


def builtin_exceptions() -> list[type]:
    return sorted(
        {kind for kind in vars(builtins).values() if isinstance(kind, type) and issubclass(kind, BaseException)},
        key=lambda kind: kind.__name__,
    )

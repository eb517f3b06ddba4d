"""Functions, iterators and objects of the tests that they pass to the program, and the operations it has on them."""

import io
import types
from typing import Any

from rune_sandbox import errors
from rune_sandbox.peer import OPERATIONS, called, specials
from rune_sandbox.stops import Uncrossable


def describe(value: Any) -> tuple[str, list[Any]]:
    """(tag, children) of what is no plain value; raises Uncrossable if it has no proxy either."""
    if isinstance(value, BaseException):
        arguments = (
            value.args
            if all(isinstance(each, (str, int, float, type(None))) for each in value.args)
            else (errors.text(value),)
        )
        return "error", [type(value), errors.text(value), arguments, [], None, None, False]
    if isinstance(value, type) and issubclass(value, BaseException):
        return "class", ["error", *errors.class_contents(value)]
    if is_tests_object(value):
        return "object", [type(value).__name__, specials(type(value))]
    if hasattr(type(value), "__next__") and type(value).__module__ != "_io":
        return "generator", []
    if callable(value) and not isinstance(value, types.CoroutineType):
        return "function", [str(getattr(value, "__name__", type(value).__name__))]
    raise Uncrossable(
        f"a {type(value).__name__} to the program; only values, functions, iterators and objects of the tests' own classes can cross"
    )


def _attribute(value: Any, name: str):
    if not isinstance(name, str) or name.startswith("_") or not is_tests_object(value):
        raise AttributeError(f"{type(value).__name__!r} object of the tests has no public attribute {name!r:.100}")
    return getattr(value, name)


def _set_attribute(value: Any, name: str, new: Any) -> None:
    _attribute(value, name) if isinstance(name, str) and name.startswith("_") else None
    if not is_tests_object(value):
        raise AttributeError(f"{type(value).__name__!r} object of the tests can't be changed")
    setattr(value, name, new)


def _special(name: str, value: Any, *operands: Any):
    if name not in specials(type(value)).split():
        raise TypeError(f"{type(value).__name__!r} object of the tests has no {name!r:.100}")
    return OPERATIONS[name](value, *operands)


# operations of a program on the tests' functions, iterators and objects that were passed to it
ACTIONS = {
    "call": called,
    "get": _attribute,
    "set": _set_attribute,
    "special": _special,
    "resume": lambda value, sent: next(value) if sent is None else value.send(sent),
    "throw": lambda value, error: value.throw(error),
    "close": lambda value: value.close(),
}


def is_tests_object(value: Any) -> bool:
    """An instance of a class that the tests define, a buffer, or a mock:
    its public attributes don't lead to the tests themselves.
    """
    kind = type(value)
    return kind.__module__ in ("__main__", "unittest.mock") or kind in (io.StringIO, io.BytesIO)

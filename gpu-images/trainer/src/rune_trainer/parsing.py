"""Reads JSON into the dataclasses of `contract`, by their annotations alone.

Every mistake is named with its field, and fields that nobody asked for are refused, so that a typo is never a silent default.
"""

import dataclasses
import functools
import re
import types
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from rune_trainer.bounds import Items, Text, Whole
from rune_trainer.errors import bad_input


class Document(Protocol):
    """A dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


D = TypeVar("D", bound=Document)


def read(kind: type[D], value: Any, path: str = "") -> D:
    """An object of this class from an object of JSON at `path`. Raises an `Ending` that names the first wrong field."""
    if not isinstance(value, dict):
        raise bad_input(f"{path or 'the job document'} must be an object, not {kind_of(value)}")
    fields = {json_name(field.name): field for field in dataclasses.fields(kind)}
    hints = hints_of(kind)
    made = {
        field.name: field_of(field, hints[field.name], value, name, f"{path}.{name}" if path else name)
        for name, field in fields.items()
    }
    if unknown := sorted(value.keys() - fields.keys()):
        where = f"{path}.{unknown[0]}" if path else unknown[0]
        raise bad_input(f"{where} is not a field of the job document; this trainer may be older than the operator")
    return kind(**made)


@functools.cache
def hints_of(kind: type[Document]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def json_name(name: str) -> str:
    return re.sub("_(.)", lambda found: found[1].upper(), name)


def field_of(field: "dataclasses.Field[Any]", hint: Any, given: dict[str, Any], name: str, path: str) -> Any:
    """Null stands for a field that isn't there, where it may be missing without a default."""
    inner = without_none(hint)
    has_default = field.default is not dataclasses.MISSING
    if name not in given or (given[name] is None and inner is not hint):
        if not has_default:
            raise bad_input(f"{path} is missing")
        return field.default
    if given[name] == "" and inner is not hint and not pattern_of(inner):
        return ""
    return value_of(inner, given[name], path)


def without_none(hint: Any) -> Any:
    """What else than None it may be."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    return next(each for each in get_args(hint) if each is not types.NoneType)


def pattern_of(hint: Any) -> str:
    return next((mark.matching for mark in marks_of(hint) if isinstance(mark, Text)), "")


def marks_of(hint: Any) -> tuple[Any, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def value_of(hint: Any, value: Any, path: str) -> Any:
    base = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    mark: Any = next(iter(marks_of(hint)), None)
    if dataclasses.is_dataclass(base):
        return read(base, value, path)
    if get_origin(base) is Literal:
        return one_of(get_args(base), value, path)
    if get_origin(base) is tuple:
        return items_of(get_args(base)[0], mark or Items(), value, path)
    if base is bool:
        return truth_of(value, path)
    if base is int:
        return whole_of(mark, value, path)
    return base(text_of(mark or Text(), value, path))


def one_of(allowed: tuple[str, ...], value: Any, path: str) -> str:
    if value not in allowed:
        raise bad_input(f"{path} must be one of {', '.join(allowed)}, not {value!r}")
    return value


def items_of(hint: Any, bounds: Items, value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) < bounds.least:
        raise bad_input(f"{path} must be a list of at least {bounds.least} items")
    if bounds.most is not None and len(value) > bounds.most:
        raise bad_input(f"{path} must be a list of at most {bounds.most} items, not {len(value)}")
    if get_origin(hint) is Literal and (wrong := [each for each in value if each not in get_args(hint)]):
        raise bad_input(f"{path} may hold {', '.join(get_args(hint))}, not {wrong[0]!r}")
    return tuple(value_of(hint, each, f"{path}[{number}]") for number, each in enumerate(value))


def truth_of(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise bad_input(f"{path} must be true or false, not {value!r}")
    return value


def whole_of(bounds: Whole, value: Any, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not bounds.least <= value <= bounds.most:
        raise bad_input(f"{path} must be a whole number from {bounds.least} to {bounds.most}, not {value!r}")
    return value


def text_of(bounds: Text, value: Any, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise bad_input(f"{path} must be a non-empty string, not {kind_of(value)}")
    if bounds.matching and not re.fullmatch(bounds.matching, value):
        raise bad_input(f"{path} is {value!r}, which does not match {bounds.matching}")
    if bounds.most is not None and len(value) > bounds.most:
        raise bad_input(f"{path} must have at most {bounds.most} characters, not {len(value)}")
    return value


def kind_of(value: Any) -> str:
    return "nothing" if value is None else f"the {type(value).__name__} {str(value)[:60]!r}"


def written(value: Any) -> Any:
    """What a document, or a value in it, is in JSON: fields that are unset are left out, a decimal is a string."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        given = ((json_name(field.name), getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: written(each) for name, each in given if each is not None}
    if isinstance(value, tuple):
        return [written(each) for each in value]
    return repr(value) if isinstance(value, float) else value

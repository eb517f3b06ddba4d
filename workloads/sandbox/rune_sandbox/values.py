"""Values that cross by copy and never change: how each is written and recreated. Nothing is evaluated."""

import builtins
import sys
from typing import Any

LARGEST = 2**63
_ATOMS = frozenset({type(None), bool, str, int, float})
_SIMPLE = frozenset({type(None), bool, str})


def flat(items: Any) -> bool:
    """Whether `items` can be in JSON as they are:
    short ints, strings, finite or infinite floats (a NaN has an identity).
    """
    kinds = set(map(type, items))
    if kinds <= _SIMPLE:
        return True
    if not kinds <= _ATOMS:
        return False
    if int in kinds and not all(-LARGEST <= item <= LARGEST for item in items if type(item) is int):
        return False
    return float not in kinds or all(item == item for item in items if type(item) is float)


def is_atom(value: Any) -> bool:
    kind = type(value)
    if kind in _SIMPLE:
        return True
    if kind is int:
        return -LARGEST <= value <= LARGEST
    return kind is float and value == value


def _module(name: str):
    """A module of the table below; named here, never by the peer."""
    __import__(name)
    return sys.modules[name]


def _zone(zone: Any):
    """[kind, value] of a tzinfo that can cross, None for none; LookupError for another."""
    if zone is None:
        return None
    kind = (type(zone).__module__, type(zone).__qualname__)
    if kind == ("datetime", "timezone"):
        return ["offset", zone.utcoffset(None).total_seconds(), zone.tzname(None)]
    if kind == ("zoneinfo", "ZoneInfo") and zone.key:
        return ["key", zone.key]
    raise LookupError(kind)


def _zone_made(form: Any):
    if form is None:
        return None
    if form[0] == "key":
        return _module("zoneinfo").ZoneInfo(form[1])
    datetime = _module("datetime")
    offset = datetime.timedelta(seconds=form[1])
    plain = datetime.timezone(offset)
    return plain if plain.tzname(None) == form[2] else datetime.timezone(offset, form[2])


def _date(value: Any) -> list[Any]:
    return [value.year, value.month, value.day]


def _time(value: Any) -> list[Any]:
    return [value.hour, value.minute, value.second, value.microsecond, _zone(value.tzinfo), value.fold]


def _time_made(kind: Any, body: Any):
    *numbers, zone, fold = body
    return kind(*numbers, tzinfo=_zone_made(zone), fold=fold)


# (module, class) → (write, recreate); the class's name is the tag
_KINDS = {
    ("builtins", "int"): (hex, lambda body: int(body, 16)),
    ("builtins", "complex"): (
        lambda value: [float.hex(value.real), float.hex(value.imag)],
        lambda body: complex(float.fromhex(body[0]), float.fromhex(body[1])),
    ),
    ("builtins", "bytes"): (bytes.hex, bytes.fromhex),
    ("builtins", "range"): (
        lambda value: [hex(value.start), hex(value.stop), hex(value.step)],
        lambda body: range(*(int(each, 16) for each in body)),
    ),
    ("builtins", "ellipsis"): (lambda value: None, lambda body: ...),
    ("builtins", "NotImplementedType"): (lambda value: None, lambda body: NotImplemented),
    ("decimal", "Decimal"): (str, lambda body: _module("decimal").Decimal(body)),
    ("fractions", "Fraction"): (
        lambda value: [hex(value.numerator), hex(value.denominator)],
        lambda body: _module("fractions").Fraction(int(body[0], 16), int(body[1], 16)),
    ),
    ("datetime", "date"): (_date, lambda body: _module("datetime").date(*body)),
    ("datetime", "time"): (_time, lambda body: _time_made(_module("datetime").time, body)),
    ("datetime", "datetime"): (
        lambda value: _date(value) + _time(value),
        lambda body: _time_made(_module("datetime").datetime, body),
    ),
    ("datetime", "timedelta"): (
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda body: _module("datetime").timedelta(body[0], body[1], body[2]),
    ),
    ("datetime", "timezone"): (_zone, _zone_made),
    ("zoneinfo", "ZoneInfo"): (_zone, _zone_made),
    ("uuid", "UUID"): (str, lambda body: _module("uuid").UUID(body)),
    **{
        ("pathlib", name): (str, lambda body, name=name: getattr(_module("pathlib"), name)(body))
        for name in ("PosixPath", "PurePosixPath", "PureWindowsPath")
    },
}
_MADE = {name: made for (_, name), (_, made) in _KINDS.items()}
_EXTENDED = (int, float, complex, str, bytes)  # a subclass crosses as its base, whatever it redefines
_MODULES = {
    "pathlib._local": "pathlib",
    "zoneinfo._zoneinfo": "zoneinfo",
    "_pydatetime": "datetime",
    "_pydecimal": "decimal",
}


def written(value: Any):
    """`value`'s form if it is an atom or one of the kinds above, None if it is neither (None itself is an atom:
    check before).
    """
    kind = type(value)
    if kind is float:
        return None  # a NaN
    known = _KINDS.get((_MODULES.get(kind.__module__, kind.__module__), kind.__qualname__))
    if known and _genuine(kind):
        try:
            return {kind.__name__: known[0](value)}
        except (LookupError, AttributeError, TypeError):
            return None
    return None


def _genuine(kind: type) -> bool:
    """Whether the class is what its name says, not a class of a program with the same name."""
    module = sys.modules.get(_MODULES.get(kind.__module__, kind.__module__))
    return kind.__module__ == "builtins" or getattr(module, kind.__qualname__, None) is kind


def base_value(value: Any):
    """The plain base of a subclass's instance (an IntEnum's member as its int), or NotImplemented."""
    for base in _EXTENDED:
        if isinstance(value, base) and type(value) is not base:
            return _base_of(base, value)
    return NotImplemented


def _base_of(base: type, value: Any):
    if base is str:
        return str.__str__(value)
    if base is bytes:
        return bytes.__getitem__(value, slice(None))
    if base is int:
        return int.__add__(value, 0)
    if base is float:
        return float.__add__(value, 0.0) if value == value else float("nan")
    return complex.__add__(value, 0j)


def made(form: dict[str, Any]):
    """The value of an inline form; raises ValueError and the like on anything else."""
    if len(form) != 1:
        raise ValueError("neither plain nor tagged")
    ((tag, body),) = form.items()
    if tag == "builtin":
        return builtin(body)
    if tag == "flat":
        return tuple(body) if flat(body) else _unknown(tag)
    return _MADE[tag](body) if tag in _MADE else _unknown(tag)


def builtin(name: Any) -> type:
    """A built-in class, for results like `int`."""
    return builtin_or_none(name) or _unknown(name)


def builtin_or_none(name: Any) -> type | None:
    kind = getattr(builtins, name, None) if isinstance(name, str) else None
    return kind if isinstance(kind, type) and kind.__module__ == "builtins" else None


def _unknown(tag: Any):
    raise ValueError(f"unknown tag {tag!r:.40}")

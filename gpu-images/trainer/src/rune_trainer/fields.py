"""Reading a JSON object strictly: every mistake is named with its field, and fields that nobody asked for are refused."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from rune_trainer.errors import bad_input

T = TypeVar("T")

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?(e-?[0-9]+)?")
SIGNED = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class Fields:
    """One object of the document, read field by field; `done` refuses what nobody asked for."""

    def __init__(self, value: Any, path: str):
        if not isinstance(value, dict):
            raise bad_input(f"{path or 'the job document'} must be an object, not {kind_of(value)}")
        self.value, self.path, self.read = value, path, set[str]()

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str, default: Any = ...) -> Any:
        self.read.add(name)
        if name in self.value:
            return self.value[name]
        if default is ...:
            raise bad_input(f"{self.at(name)} is missing")
        return default

    def text(self, name: str, default: Any = ..., matching: re.Pattern[str] | None = None) -> str:
        value = self.take(name, default)
        if not isinstance(value, str) or (not value and default is ...):
            raise bad_input(f"{self.at(name)} must be a non-empty string, not {kind_of(value)}")
        if matching and not matching.fullmatch(value):
            raise bad_input(f"{self.at(name)} is {value!r}, which does not match {matching.pattern}")
        return value

    def whole(self, name: str, low: int, high: int, default: Any = ...) -> int:
        value = self.take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise bad_input(f"{self.at(name)} must be a whole number from {low} to {high}, not {value!r}")
        return value

    def decimal(self, name: str, default: Any = ..., matching: re.Pattern[str] = DECIMAL) -> float:
        return float(self.text(name, default, matching))

    def truth(self, name: str, default: bool) -> bool:
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise bad_input(f"{self.at(name)} must be true or false, not {value!r}")
        return value

    def one_of(self, name: str, allowed: tuple[str, ...], default: Any = ...) -> str:
        value = self.take(name, default)
        if value not in allowed:
            raise bad_input(f"{self.at(name)} must be one of {', '.join(allowed)}, not {value!r}")
        return value

    def items(self, name: str, default: Any = ..., least: int = 0) -> list[Any]:
        value = self.take(name, default)
        if not isinstance(value, list) or len(value) < least:
            raise bad_input(f"{self.at(name)} must be a list of at least {least} items")
        return value

    def list_of(self, name: str, parse: "Callable[[Fields], T]", default: Any = ..., least: int = 0) -> tuple[T, ...]:
        """A list of objects."""
        return tuple(
            parsed(value, f"{self.at(name)}[{i}]", parse) for i, value in enumerate(self.items(name, default, least))
        )

    def inner(self, name: str, parse: "Callable[[Fields], T]", default: Any = ...) -> T:
        return parsed(self.take(name, default), self.at(name), parse)

    def optional(self, name: str, parse: "Callable[[Fields], T]") -> "T | None":
        if self.take(name, None) is None:
            return None
        return self.inner(name, parse)

    def done(self) -> None:
        unknown = sorted(set(self.value) - self.read)
        if unknown:
            raise bad_input(
                f"{self.at(unknown[0])} is not a field of the job document; this trainer may be older than the operator"
            )


def parsed(value: Any, path: str, parse: Callable[[Fields], T]) -> T:
    fields = Fields(value, path)
    made = parse(fields)
    fields.done()
    return made


def kind_of(value: Any) -> str:
    return "nothing" if value is None else f"the {type(value).__name__} {str(value)[:60]!r}"

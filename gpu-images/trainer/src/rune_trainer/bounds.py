"""What annotations say of a field beside its type: the bounds that `contract` has from the schemas and `parsing` checks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """Of a string. At a float: a decimal number, written as a string."""

    most: int | None = None
    """Characters."""
    matching: str = ""
    """What the whole string is like; anything, where it is empty."""


@dataclass(frozen=True)
class Whole:
    """Of a whole number; both ends are included."""

    least: int
    most: int


@dataclass(frozen=True)
class Items:
    """Of a list."""

    least: int = 0
    most: int | None = None

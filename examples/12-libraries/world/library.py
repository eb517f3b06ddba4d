"""A private library: a random name, house functions with random names for random concepts, and errors that contain the
right name.
"""

import functools
import pathlib
import random
import re
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rules import NUMBER_RULES, TEXT_RULES
from words import BEGINNINGS, ENDINGS, NAMES, NUMBER_FORMS, NUMBER_SUBJECTS, TEXT_FORMS, TEXT_SUBJECTS

SCENARIO = pathlib.Path(__file__).resolve().parents[2] / "00-quickstart/scenario"
FUNCTIONS = 5
TEXTS = (2, 3)
"""How many of them are over text; the others are over whole numbers."""


@dataclass(frozen=True)
class House:
    """One function. `source` is a `def` of one line."""

    name: str
    form: str
    subject: str
    text: bool
    source: str

    @property
    def concept(self) -> str:
        article = "an" if self.subject[0] in "aeiou" else "a"
        return f"{self.form} of {article} {self.subject} ({'str -> str' if self.text else 'int -> int'})"

    @property
    def guess(self) -> str:
        """What a user without knowledge would call it."""
        return f"{self.form} {self.subject}".replace(" ", "_")


@dataclass(frozen=True)
class Library:
    name: str
    houses: tuple[House, ...]

    @functools.cached_property
    def source(self) -> str:
        listed = "\n".join(f"@house({h.concept!r})\n{h.source}" for h in self.houses)
        before, after = around_houses()
        return (
            f'"""{self.name}: an in-house helper library."""\n{before}{listed}\n{after.replace("tessera", self.name)}'
        )

    @functools.cached_property
    def module(self) -> Any:
        """The library as programs import it."""
        module = types.ModuleType(self.name)
        exec(compile(self.source, f"{self.name}.py", "exec"), module.__dict__)
        return module

    def function(self, house: House) -> Callable[[Any], Any]:
        return getattr(self.module, house.name)

    def run(self, program: str) -> dict[str, Any]:
        """The names that a program defines, with the library on its import path. The caller trusts the program."""
        names: dict[str, Any] = {}
        sys.modules[self.name] = self.module
        try:
            exec(compile(program, "program.py", "exec"), names)
        finally:
            del sys.modules[self.name]
        return names


@functools.cache
def around_houses() -> tuple[str, str]:
    """The text before and after the functions of the quickstart's library:
    how it registers them, and how its errors contain the right name.
    """
    text = (SCENARIO / "library/tessera.py").read_text()
    return text[text.index("import dis") : text.index("@house(")], text[text.index("\n\n__all__") :]


def words_of(text: str) -> set[str]:
    """The words that the library's hints compare."""
    return set(re.findall(r"[a-z]{3,}", text))


def concepts_of(r: random.Random) -> list[tuple[str, str, bool]]:
    """(form, subject, over text) of each function; no two share a word, so that a hint names one."""
    texts = r.choice(TEXTS)
    kinds = [True] * texts + [False] * (FUNCTIONS - texts)
    while True:
        found: list[tuple[str, str, bool]] = [
            (r.choice(TEXT_FORMS if text else NUMBER_FORMS), r.choice(TEXT_SUBJECTS if text else NUMBER_SUBJECTS), text)
            for text in kinds
        ]
        words = [word for form, subject, _ in found for word in words_of(f"{form} {subject}")]
        if len(set(words)) == len(words):
            return found


def library_of(name: str, r: random.Random) -> Library:
    concepts = concepts_of(r)
    r.shuffle(concepts)
    houses = []
    for called, (form, subject, text) in zip(r.sample(NAMES, FUNCTIONS), concepts, strict=True):
        rule = r.choice(TEXT_RULES if text else NUMBER_RULES)
        houses.append(House(called, form, subject, text, f"def {called}({'text' if text else 'n'}): return {rule(r)}"))
    return Library(name, tuple(houses))


def names_of(count: int, seed: int) -> list[str]:
    """Names of libraries, no two alike and none of Python's own."""
    every = sorted({b + e for b in BEGINNINGS for e in ENDINGS} - set(sys.stdlib_module_names))
    if count > len(every):
        raise SystemExit(f"{count} libraries were asked for; there are names for {len(every)}")
    return random.Random(f"{seed}/names").sample(every, count)

"""Tasks over a library: uses of one function, two functions in one program, and all of them in one, which is a
session's task.
"""

import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from library import SCENARIO, House, Library

sys.path.insert(0, str(SCENARIO))
# pyrefly: ignore [missing-import]  (of the quickstart's scenario, which sys.path names)
from uses import SYSTEM, Values, assertions, shortcuts, telling, uses

Document = dict[str, Any]
Program = Callable[..., Any]

LEARNT = ("plain", "each", "best", "both")
"""Uses of the examples that a trajectory helps with."""
HELD_OUT = ("table", "shout")
"""Uses of held-out tasks, besides pairs; no training shows them."""
ARGUMENTS = "abcdefgh"


@dataclass(frozen=True)
class Question:
    task: Document
    program: str
    """A program that passes."""


class Asker:
    """Creates the questions of one library; no value is used for one function in two of them."""

    def __init__(self, library: Library, seed: int):
        self.library, self.seed = library, seed
        self.values = {house.name: Values(house.text) for house in library.houses}

    def use(self, house: House, name: str) -> Question:
        """One function in one of its uses."""
        use, right, values = (
            uses(self.call(house), house.concept)[name],
            self.library.function(house),
            self.values[house.name],
        )
        others = [self.library.function(h) for h in self.library.houses if h != house]
        wrong = list(shortcuts(right, others, name, use, house.text))
        found = telling(use.shape(right), wrong, lambda r: values.draw(use.arguments, r), self.random(name, house.name))
        values.keep()
        return self.question(
            f"{name}-{self.library.name}-{house.name}", use.signature, use.asked, use.body, assertions(*found)
        )

    def several(self, name: str, houses: tuple[House, ...]) -> Question:
        """One value of each of several functions."""
        names = ARGUMENTS[: len(houses)]
        asked = "returns the list of " + listed(
            [f"the {h.concept.split(' (')[0]}, given as `{n}`," for h, n in zip(houses, names, strict=True)]
        )
        body = f"return [{', '.join(f'{self.call(h)}({n})' for h, n in zip(houses, names, strict=True))}]"
        right = [self.library.function(h) for h in houses]

        def draw(r: random.Random) -> list[list[Any]]:
            columns = [self.values[h.name].draw(lambda _, value: value(), r) for h in houses]
            return [list(row) for row in zip(*columns, strict=True)]

        found = telling(
            together(right),
            list(self.all_but_one_right(houses, right)),
            draw,
            self.random(name, *(h.name for h in houses)),
        )
        for house in houses:
            self.values[house.name].keep()
        identity = "-".join([name, self.library.name, *(h.name for h in houses[:2])])
        return self.question(identity, f"solve({', '.join(names)})", asked, body, assertions(*found))

    def all_but_one_right(self, houses: tuple[House, ...], right: list[Program]) -> Iterator[Program]:
        """Programs with every function right but one; a program with fewer right fails where these do."""
        for at, house in enumerate(houses):
            use = uses(self.call(house), house.concept)["plain"]
            others = [self.library.function(h) for h in self.library.houses if h != house]
            for wrong in shortcuts(right[at], others, "plain", use, house.text):
                yield together([*right[:at], wrong, *right[at + 1 :]])

    def call(self, house: House) -> str:
        return f"{self.library.name}.{house.name}"

    def random(self, *what: str) -> random.Random:
        return random.Random("/".join([str(self.seed), self.library.name, *what]))

    def question(self, identity: str, signature: str, asked: str, body: str, tests: str) -> Question:
        stub = f"import {self.library.name}\n\ndef {signature}:\n"
        task = {
            "id": identity,
            "description": f"Use the in-house `{self.library.name}` library. Write a Python function `{signature}` that {asked}.",
            "entryPoint": "solve",
            "stub": stub,
            "system": SYSTEM,
            "tests": tests,
        }
        return Question(task, f"{stub}    {body}\n")


def together(functions: list[Program]) -> Program:
    return lambda *values: [f(value) for f, value in zip(functions, values, strict=False)]


def listed(parts: list[str]) -> str:
    return f"{' '.join(parts[:-1])} and {parts[-1]}".removesuffix(",")


def examples_of(asker: Asker) -> list[Question]:
    """What the library's trajectory helps with."""
    return [asker.use(house, name) for house in asker.library.houses for name in LEARNT]


def held_out_of(asker: Asker) -> list[Question]:
    """Each function in the uses that no training shows, and pairs of neighbours."""
    houses = asker.library.houses
    single = [asker.use(house, name) for house in houses for name in HELD_OUT]
    return [*single, *(asker.several("pair", pair) for pair in pairwise(houses))]

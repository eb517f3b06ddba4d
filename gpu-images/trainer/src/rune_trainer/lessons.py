"""Pairs as tokens: each trajectory as it is encoded, and its questions, in the student's and in the teacher's prompt.

The student's prompt is the question alone. The teacher's has the trajectory in front of it; the answer's tokens are the same.
"""

import math
import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rune_trainer.context import in_front_of
from rune_trainer.contract import Hypernetwork, Reference
from rune_trainer.corpus import Row
from rune_trainer.encoder import Text, text_of
from rune_trainer.examples import Example, example_of
from rune_trainer.pairs import Pair
from rune_trainer.rendering import prompt_of


@dataclass(frozen=True)
class Question:
    row: Row
    example: Example
    """The student's input and output."""


@dataclass(frozen=True)
class Lesson:
    number: int
    """Its place in the corpus."""
    text: Text
    group: str
    """Lessons that share knowledge: `Pair.group`."""
    groups: tuple[tuple[Question, ...], ...]
    """The questions in a seeded order, grouped by step."""
    adapter: Reference | None

    def examples(self, which: int) -> list[Example]:
        return [question.example for question in self.groups[which]]


@dataclass
class Count:
    """Numbers of used and left-out examples."""

    examples: int = 0
    long: int = 0
    changed: int = 0
    """Left out because the base's chat template changes their text."""


class Reader:
    """Tokenizes every row once, however many trajectories use it."""

    def __init__(self, tokenizer: Any, settings: Hypernetwork):
        self.tokenizer, self.settings, self.known, self.count = (
            tokenizer,
            settings,
            dict[str, Example | None](),
            Count(),
        )

    def lessons(self, pairs: tuple[Pair, ...], first: int = 0) -> list[Lesson]:
        """Those with a question."""
        made = [self.lesson(number, pair) for number, pair in enumerate(pairs, start=first)]
        return [lesson for lesson in made if lesson.groups]

    def lesson(self, number: int, pair: Pair) -> Lesson:
        questions = [question for row in pair.rows if (question := self.question(row))]
        random.Random(f"{self.settings.seed} {number}").shuffle(questions)
        count = math.ceil(len(questions) / self.settings.examples_per_trajectory)
        bounds = [len(questions) * n // count for n in range(count + 1)] if count else []
        groups = tuple(tuple(questions[a:b]) for a, b in pairwise(bounds))
        return Lesson(
            number,
            text_of(self.tokenizer, pair.trajectory, self.settings.chunk_tokens, self.settings.max_chunks),
            pair.group,
            groups,
            pair.adapter,
        )

    def question(self, row: Row) -> Question | None:
        key = repr(row)
        if key not in self.known:
            self.known[key] = self.fitting(row)
        example = self.known[key]
        return Question(row, example) if example else None

    def fitting(self, row: Row) -> Example | None:
        example = example_of(self.tokenizer, row)
        if example is None:
            self.count.changed += 1
            return None
        long = len(example) > self.settings.max_length
        self.count.examples += 1
        self.count.long += long
        return None if long else example


def taught_example(tokenizer: Any, text: Text, question: Question) -> Example:
    """The question preceded by the trajectory, with the same answer as the student's example."""
    prompt, head = prompt_of(tokenizer, list(in_front_of(question.row.messages, text.text)), question.row.given)
    return Example(prompt, tuple(head), question.example.tail)

"""What held-out libraries show about a hypernetwork: five arms, each with every example of every library.

An arm is the base, the base with the right adapter, with another library's, with the mean of all, or with the trajectory in its prompt.
Measured at the learnt tokens: the cross-entropy, and whether each of them is the arm's likeliest. If all of an answer's
are, a greedy answer is that program, token for token, and so it passes its tests: `exact` is a lower bound of Pass@1,
and no generated program is run.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from rune_trainer.alarms import others, repeated
from rune_trainer.corpus import answer_row, prompt_of
from rune_trainer.examples import Example, example_of
from rune_trainer.functional import Pairs, applied, by_trajectory, chosen, joined, mean_of
from rune_trainer.hyper_training import Training
from rune_trainer.lessons import Lesson, Question, taught_example
from rune_trainer.sheet import logits_at, sheet_of

ARMS = ("base", "right", "wrong", "mean", "context")
RESAMPLES = 2000
TOGETHER = 8
"""Libraries whose trajectories are encoded at once."""


@dataclass
class Tally:
    """The results of one library's examples in one arm."""

    loss: float = 0.0
    tokens: int = 0
    exact: int = 0
    examples: int = 0

    def add(self, logits: torch.Tensor, targets: torch.Tensor, lengths: list[int]) -> None:
        """logits (K, V) and targets (K,) of examples with these numbers of tokens"""
        self.loss += torch.nn.functional.cross_entropy(logits, targets, reduction="sum").item()
        right = logits.argmax(-1) == targets
        self.exact += sum(bool(part.all()) for part in right.split(lengths))
        self.tokens += len(targets)
        self.examples += len(lengths)

    @property
    def nats(self) -> float:
        return self.loss / max(1, self.tokens)

    @property
    def share(self) -> float:
        return self.exact / max(1, self.examples)


Tallies = dict[str, list[Tally]]
"""Arm → a tally per library, in one order."""


@torch.no_grad()
def adapters_of(training: Training, lessons: list[Lesson]) -> Pairs:
    """The adapter of each trajectory, its static part included."""
    parts = []
    for first in range(0, len(lessons), TOGETHER):
        features, mask, counts = training.encoder.batch([lesson.text for lesson in lessons[first : first + TOGETHER]])
        generated = by_trajectory(training.network(features, mask), counts)
        parts.append(joined([generated, repeated(training.network.static(), len(counts))]))
    return stacked(parts)


def stacked(parts: list[Pairs]) -> Pairs:
    """Adapters of several batches as one; smaller ranks are padded with zeros."""

    def padded(each: list[torch.Tensor]) -> torch.Tensor:
        return torch.nn.utils.rnn.pad_sequence([row for part in each for row in part], batch_first=True)

    return {path: (padded([p[path][0] for p in parts]), padded([p[path][1] for p in parts])) for path in parts[0]}


def questions_of(tokenizer: Any, references: list[dict[str, Any]], longest: int) -> list[Question]:
    """Tasks with programs as questions, those that fit."""
    rows = [answer_row(*prompt_of(reference), reference["program"]) for reference in references]
    made = [(row, example_of(tokenizer, row)) for row in rows]
    return [Question(row, example) for row, example in made if example and len(example) <= longest]


@torch.no_grad()
def measured(
    training: Training, lessons: list[Lesson], questions: list[list[Question]], tell: Callable[[str], None]
) -> Tallies:
    """`questions[n]` are the questions about library n, in every arm."""
    pairs = adapters_of(training, lessons)
    wrong, mean = others([lesson.group for lesson in lessons]), mean_of(pairs)
    tallies: Tallies = {arm: [Tally() for _ in lessons] for arm in ARMS}
    for number, (lesson, asked) in enumerate(zip(lessons, questions, strict=True)):
        adapters = {
            "base": None,
            "right": chosen(pairs, [number]),
            "wrong": chosen(pairs, [wrong[number]]),
            "mean": mean,
        }
        for arm, adapter in adapters.items():
            answer(training, tallies[arm][number], [question.example for question in asked], adapter)
        answer(
            training,
            tallies["context"][number],
            [taught_example(training.asking.tokenizer, lesson.text, question) for question in asked],
            None,
        )
        if (number + 1) % 16 == 0:
            tell(f"measured {number + 1} of {len(lessons)} held-out libraries")
    return tallies


def answer(training: Training, tally: Tally, examples: list[Example], pairs: Pairs | None) -> None:
    asking = training.asking
    sheet = sheet_of([examples], asking.together, asking.model.device)
    with applied(asking.model, pairs or {}):
        logits = logits_at(asking.model, sheet)
    tally.add(logits, sheet.targets, [len(example.tail) for example in examples])


def interval(values: list[float], seed: int = 0) -> list[float]:
    """[mean, lower, upper]: 95 % by resampling libraries."""
    r = random.Random(seed)
    means = sorted(sum(r.choices(values, k=len(values))) / len(values) for _ in range(RESAMPLES))
    return [
        round(x, 4) for x in (sum(values) / len(values), means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)])
    ]


def summary(tallies: Tallies) -> dict[str, Any]:
    """Each arm, and the right adapter's lead over each other arm: in nats per token and in points of exact programs."""
    right = tallies["right"]
    leads = {
        arm: {
            "nats": interval([other.nats - own.nats for other, own in zip(tallies[arm], right, strict=True)]),
            "points": interval(
                [100 * (own.share - other.share) for other, own in zip(tallies[arm], right, strict=True)]
            ),
        }
        for arm in ARMS
        if arm != "right"
    }
    arms = {
        arm: {"nats": interval([t.nats for t in own]), "exact": interval([t.share for t in own])}
        for arm, own in tallies.items()
    }
    examples = sum(t.examples for t in right)
    return {"libraries": len(right), "examples": examples, "arms": arms, "rightAgainst": leads}

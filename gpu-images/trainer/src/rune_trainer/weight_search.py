"""Weights to merge with: those whose result makes the parents' Validation programs likeliest. No program is run.

A search is a sequence of (weights, loss) that follows from its settings and its losses alone. So a checkpoint stores
just those, and a resumed search replays them before it evaluates anything.
"""

import contextlib
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from rune_trainer import checkpoint
from rune_trainer.contract import Exit, Search
from rune_trainer.errors import Ending, terminated
from rune_trainer.examples import Example
from rune_trainer.grouping import Grouping
from rune_trainer.packing import pack
from rune_trainer.sft import Progress, Run

LEAST, MOST = 0.1, 1.5
"""Common weights that a grid spans; 1, the weight without a search, is always among them."""
BOUNDS, SPREAD = (0.0, 2.0), 0.3
"""Of CMA-ES, which begins at 1 each (Hansen 2016, arXiv 1604.00772)."""
WORST = 1e6
"""The loss that an optimizer receives in place of NaN."""
TOGETHER = 4

Weights = tuple[float, ...]
Evaluate = Callable[[Weights], float]


class Enough(Exception):
    """The evaluations are used up."""


@dataclass(frozen=True)
class Found:
    weights: Weights
    loss: float
    tried: int
    """Sets of weights."""


class Record:
    """Every set of weights that was tried, in order, and its loss."""

    def __init__(self, evaluate: Evaluate, most: int, run: Run):
        self.evaluate, self.most, self.run = evaluate, most, run
        state = checkpoint.newest(run.directory, run.identity)
        self.known = list(state.losses) if state else []
        self.tried = list[tuple[Weights, float]]()
        self.started, self.first = time.monotonic(), len(self.known)

    def __call__(self, weights: Weights) -> float:
        number = len(self.tried)
        if number >= self.most:
            raise Enough
        loss = self.known[number] if number < len(self.known) else self.ask(weights, number)
        self.tried.append((weights, loss))
        return loss

    def ask(self, weights: Weights, number: int) -> float:
        if self.run.stopping():
            raise terminated(
                f"asked to stop after {number} of {self.most} sets of weights; the next attempt goes on from there"
            )
        loss = self.evaluate(weights)
        self.known.append(loss if math.isfinite(loss) else WORST)
        tensors = {"tried": torch.tensor([w for w, _ in self.tried] + [weights], dtype=torch.float64)}
        checkpoint.save(self.run.directory, self.run.identity, checkpoint.State(number + 1, tensors, self.known))
        self.run.report(
            Progress(
                number + 1, self.most, self.known[number], (time.monotonic() - self.started) / (number + 1 - self.first)
            )
        )
        return self.known[number]

    def best(self) -> Found:
        weights, loss = min(self.tried, key=lambda each: each[1])
        if loss >= WORST:
            raise Ending(
                Exit.BAD_INPUT,
                "NotFinite",
                f"none of {len(self.tried)} sets of weights gave a loss that is a number; are the adapters sound?",
            )
        return Found(weights, loss, len(self.tried))


def search(count: int, settings: Search, seed: int, evaluate: Evaluate, run: Run) -> Found:
    """The best weights of `count` adapters; of equals, the first."""
    record = Record(evaluate, settings.evaluations, run)
    with contextlib.suppress(Enough):
        METHODS[settings.method](count, settings.evaluations, seed, record)
    return record.best()


def grid(count: int, evaluations: int, _: int, record: Record) -> None:
    steps = [round(LEAST + (MOST - LEAST) * n / (evaluations - 2), 6) for n in range(evaluations - 1)]
    for common in dict.fromkeys([1.0, *steps]):
        record((common,) * count)


def cmaes(count: int, evaluations: int, seed: int, record: Record) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it could plot if matplotlib were there
        import cma

    record((1.0,) * count)
    strategy = cma.CMAEvolutionStrategy(
        [1.0] * count, SPREAD, {"seed": seed + 1, "bounds": list(BOUNDS), "verbose": -9}
    )
    for _ in range(evaluations):
        asked = strategy.ask()
        strategy.tell(asked, [record(tuple(round(float(w), 6) for w in weights)) for weights in asked])


METHODS: dict[str, Callable[[int, int, int, Record], None]] = {"Grid": grid, "CMAES": cmaes}


@torch.no_grad()
def mean_loss(model: Any, examples: list[Example], grouping: Grouping) -> float:
    """Cross-entropy per learnt token, in nats."""
    loss = 0.0
    for first in range(0, len(examples), TOGETHER):
        for group in grouping.groups(examples[first : first + TOGETHER]):
            packed = pack(group)
            logits = model(**packed.inputs(model.device), use_cache=False).logits[0]
            loss += torch.nn.functional.cross_entropy(
                logits.float(), packed.targets.to(model.device), reduction="sum"
            ).item()
    return loss / sum(len(e.tail) for e in examples)

"""Training data of a hypernetwork: trajectories, each with the questions that it helps with, and the held-out part.

A trajectory's questions are the examples listed in its corpus, or else the questions of the sessions of its scope,
including its own. Whole scopes are held out where there are several, so that measurements on them are on unseen data.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rune_trainer.canonical import canonical
from rune_trainer.context import context_of
from rune_trainer.contract import Reference
from rune_trainer.corpus import Row, asked_rows, distinct, executions, rows_of
from rune_trainer.sources import Source
from rune_trainer.trajectory import Item

FEWEST_SCOPES = 4
"""With fewer different scopes, single tasks are held out instead."""


@dataclass(frozen=True)
class Pair:
    trajectory: dict[str, Any]
    group: str
    """Pairs that share knowledge: the scope or the task. Adapters of two groups may be expected to differ."""
    rows: tuple[Row, ...]
    adapter: Reference | None


@dataclass(frozen=True)
class Split:
    training: tuple[Pair, ...]
    held_out: tuple[Pair, ...]


def solved(sources: list[Source]) -> list[Source]:
    """Those with a program that passed, each distinct text once: with the examples of all lines of a corpus that have
    it, and the newest adapter that was fine-tuned from it.
    """
    found = dict[str, Source]()
    for source in sources:
        if executions(source.trajectory, passed=True):
            text = context_of(source.trajectory)[0] + scope_of(source.trajectory)
            found[text] = together(found[text], source) if text in found else source
    return list(found.values())


def together(one: Source, other: Source) -> Source:
    """Two sources of one text. Examples that repeat are one row later (`corpus.distinct`)."""
    told = [s.item.examples for s in (one, other) if s.item.examples is not None]
    examples = tuple(example for each in told for example in each) if told else None
    return Source(Item(other.trajectory, examples), other.adapter or one.adapter, other.digest)


def scope_of(trajectory: dict[str, Any]) -> str:
    scope = trajectory.get("scope") or {}
    return canonical(scope).decode() if scope else ""


def task_of(trajectory: dict[str, Any]) -> str:
    """Tasks of different scopes are different tasks, even with the same text."""
    return f"{scope_of(trajectory)} {' '.join(trajectory['task']['description'].split())}"


def grouping(sources: list[Source]) -> Callable[[dict[str, Any]], str]:
    """The unit that is held out: a scope, or a task if there are too few scopes."""
    return scope_of if len({scope_of(s.trajectory) for s in sources}) >= FEWEST_SCOPES else task_of


def split_of(sources: list[Source], include: tuple[str, ...], holdout_percent: int, seed: int) -> Split:
    """At least two groups are held out, if there are that many: each one's adapter is the wrong one for the other."""
    group_of = grouping(sources)
    groups = sorted({group_of(s.trajectory) for s in sources})
    random.Random(seed).shuffle(groups)
    held = set(groups[: max(2, round(len(groups) * holdout_percent / 100))])
    sides = (
        [s for s in sources if group_of(s.trajectory) not in held],
        [s for s in sources if group_of(s.trajectory) in held],
    )
    return Split(*(pairs_of(side, include, group_of) for side in sides))


def pairs_of(
    sources: list[Source], include: tuple[str, ...], group_of: Callable[[dict[str, Any]], str]
) -> tuple[Pair, ...]:
    by_scope: dict[str, list[dict[str, Any]]] = {}
    for source in sources:
        by_scope.setdefault(scope_of(source.trajectory), []).append(source.trajectory)
    shared = {scope: tuple(rows_of(trajectories, include)) for scope, trajectories in by_scope.items() if scope}

    def rows(source: Source) -> tuple[Row, ...]:
        if source.item.examples is not None:
            return tuple(distinct(asked_rows(source.item, include)))
        return shared.get(scope_of(source.trajectory)) or tuple(rows_of([source.trajectory], include))

    return tuple(Pair(s.trajectory, group_of(s.trajectory), rows(s), s.adapter) for s in sources)

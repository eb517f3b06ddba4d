"""What a model of ours has learnt from: the layer `corpus.json` (`learntFrom` in crds/contracts/artifact.ts) of every
adapter and hypernetwork.

An evaluation refuses tasks that are in it. It includes its parents' layers. An adapter without such a
layer (an imported one) has an unknown history: it counts as having learnt from nothing.
"""

import functools
import hashlib
import json
import pathlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rune_trainer.canonical import canonical
from rune_trainer.contract import (
    LEARNT_FILE,
    MOST_LEARNT_TASKS,
    MOST_LEARNT_TRAJECTORIES,
    Schema,
)
from rune_trainer.errors import data_error
from rune_trainer.registry import Repository

SPACES = re.compile("[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+")
"""Characters of `\\s` in JavaScript, where the same hashes are computed."""


@dataclass(frozen=True, order=True)
class Task:
    description: str
    tests: str
    """Hashes of both."""
    id: str


@dataclass(frozen=True)
class TrainingData:
    trajectories: frozenset[str] = frozenset()
    """Digests of trajectories and corpora."""
    tasks: frozenset[Task] = frozenset()

    def __or__(self, other: "TrainingData") -> "TrainingData":
        return TrainingData(self.trajectories | other.trajectories, self.tasks | other.tasks)

    def document(self) -> dict[str, Any]:
        """For one task with two ids the first is kept."""
        tasks = list({(t.description, t.tests): t for t in sorted(self.tasks, reverse=True)}.values())[::-1]
        if len(self.trajectories) > MOST_LEARNT_TRAJECTORIES or len(tasks) > MOST_LEARNT_TASKS:
            raise data_error(
                "TooMuchLearnt",
                f"together, {len(self.trajectories)} trajectories and {len(tasks)} tasks were learnt from; an artifact names at most {MOST_LEARNT_TRAJECTORIES} and "
                f"{MOST_LEARNT_TASKS}: learn from fewer, or store them as one corpus",
            )
        return {
            "schema": Schema.LEARNT,
            "trajectories": sorted(self.trajectories),
            "tasks": [{"id": t.id, "description": t.description, "tests": t.tests} for t in tasks],
        }

    def write(self, directory: pathlib.Path) -> None:
        """Equal content gives equal bytes."""
        (directory / LEARNT_FILE).write_bytes(canonical(self.document()))


def hash_of(text: str) -> str:
    """The first 16 hex digits of SHA-256 over the text, trimmed and with every run of white space replaced by one
    space.
    """
    return hashlib.sha256(SPACES.sub(" ", text).strip(" ").encode()).hexdigest()[:16]


def of_tasks(digests: Iterable[str], tasks: Iterable[dict[str, Any]]) -> TrainingData:
    """`tasks` are those of trajectories and of the examples beside them."""
    return TrainingData(
        frozenset(digests),
        frozenset(Task(hash_of(t["description"]), hash_of(t.get("tests", "")), t.get("id", "")) for t in tasks),
    )


def together(parts: Iterable[TrainingData]) -> TrainingData:
    return functools.reduce(TrainingData.__or__, parts, TrainingData())


def of_artifact(repository: Repository, digest: str) -> TrainingData:
    """The record of an adapter or a hypernetwork."""
    content = repository.pull_titled(digest, LEARNT_FILE)
    if content is None:
        return TrainingData()
    try:
        return parse(json.loads(content))
    except (ValueError, LookupError, TypeError) as error:
        raise data_error(
            "UnexpectedArtifact",
            f"{LEARNT_FILE} of {repository.name}@{digest} is none of Rune's ({type(error).__name__}: {error}); publish the adapter again",
        ) from error


def parse(document: dict[str, Any]) -> TrainingData:
    if document["schema"] != Schema.LEARNT:
        raise ValueError(f"schema {document['schema']!r}")
    return TrainingData(
        frozenset(document["trajectories"]),
        frozenset(Task(t["description"], t["tests"], t["id"]) for t in document["tasks"]),
    )

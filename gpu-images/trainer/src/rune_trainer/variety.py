"""How varied a corpus is: over tasks, over how programs failed, and over what corrected them.

Read from the records of its solved trajectories. Many trajectories that fail and are corrected alike teach one thing,
however many they are.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rune_trainer.pairs import task_of

RAISED = re.compile(r"(?:line \d+: )?(?:\w+\.)*([A-Z]\w*)(?::|$)")
"""A line of an error that begins with the class of what was raised."""
WORD = re.compile(r"\w+|[^\w\s]")
NO_VERDICT = "TestsUnusable"
"""The outcome of an execution that says nothing about its program."""

Change = tuple[frozenset[tuple[str, int]], frozenset[tuple[str, int]]]
"""The words that a program has no more, and those that are new, each with how often."""


@dataclass(frozen=True)
class Variety:
    solved: int
    """Trajectories with a program that passed, each text once."""
    tasks: int
    """Their distinct tasks."""
    failure_modes: int
    """Distinct classes of errors of their failed programs."""
    corrections: int
    """Distinct changes from the last program that failed to the first that passed."""

    def metrics(self) -> dict[str, float]:
        """By their names in a TrainingRun's status."""
        return {"distinctTasks": self.tasks, "failureModes": self.failure_modes, "corrections": self.corrections}

    def __str__(self) -> str:
        return (
            f"{self.solved} solved trajectories with {self.tasks} distinct tasks, {self.failure_modes} classes of "
            f"errors and {self.corrections} distinct corrections"
        )


TRACKED = {
    "distinctTasks": "distinct_tasks",
    "failureModes": "failure_modes",
    "corrections": "corrections",
    "droppedPercent": "dropped_percent",
}
"""Names in the tracker of what describes a corpus."""


def variety_of(trajectories: Iterable[dict[str, Any]]) -> Variety:
    """`trajectories` are the solved ones, each text once."""
    known = list(trajectories)
    failures = [record for trajectory in known for record in trajectory["records"] if has_failed(record)]
    changes = {change for trajectory in known if (change := correction_of(trajectory))}
    return Variety(
        len(known),
        len({task_of(trajectory) for trajectory in known}),
        len({failure_mode(record["execution"]) for record in failures}),
        len(changes),
    )


def has_failed(record: dict[str, Any]) -> bool:
    """Whether the record is of a program that was executed and found wrong."""
    if record["type"] != "executed":
        return False
    execution = record["execution"]
    return not execution["passed"] and execution.get("outcome") != NO_VERDICT


def failure_mode(execution: dict[str, Any]) -> str:
    """The class of what was raised, without its module, or else the outcome.

    An error begins with it, or is a traceback and names it in its last line.
    """
    lines = [line for each in execution["error"].splitlines() if (line := each.strip())]
    raised = next(filter(None, map(RAISED.match, (*lines[:1], *lines[-1:]))), None)
    return raised[1] if raised else execution.get("outcome", "Failed")


def correction_of(trajectory: dict[str, Any]) -> Change | None:
    """From the last program that failed to the first that passed; None where none failed before it."""
    failed: str | None = None
    for record in trajectory["records"]:
        if has_failed(record):
            failed = record["program"]
        elif record["type"] == "executed" and record["execution"]["passed"]:
            return None if failed is None else change_of(failed, record["program"])
    return None


def change_of(before: str, after: str) -> Change:
    old, new = Counter(WORD.findall(before)), Counter(WORD.findall(after))
    return frozenset((old - new).items()), frozenset((new - old).items())

"""The part of a task set that a task belongs to:
the same everywhere and permanently (`parts` in crds/fields/task-set.ts).
"""

import hashlib
from typing import Any

from rune_trainer.contract import TRAIN_BELOW, VALIDATION_BELOW


def part_of(task: dict[str, Any]) -> str:
    """By SHA-256 of the cluster, or of the id where a task has none, read as a number, modulo 100."""
    name = task.get("cluster", task["id"])
    place = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big") % 100
    return "Train" if place < TRAIN_BELOW else "Validation" if place < VALIDATION_BELOW else "Test"

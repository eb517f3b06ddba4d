"""Makes tasks.json: tasks over tessera for sessions to learn from, and held-out ones to measure with.

Both need the same house functions in different uses: what must carry over from one session to the
next is knowledge of the project, not an answer. Deterministic: `python3 make_tasks.py > tasks.json`.
"""

import json
import random
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from uses import SYSTEM, Program, Use, Values, assertions, is_text, shortcuts, telling, uses

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "library"))
import tessera  # noqa: E402

TRAIN, HELD_OUT = ("plain", "each", "best"), ("both", "table", "shout")
SEED = 7


def uses_of(f: str) -> dict[str, Use]:
    return uses(f"tessera.{f}", tessera.HOUSE[f])


def wrong_programs(f: str, name: str, use: Use) -> Iterator[Program]:
    """Every other house function, and every shortcut, in the shape of this use."""
    others = [getattr(tessera, g) for g in tessera.HOUSE if g != f]
    return shortcuts(getattr(tessera, f), others, name, use, is_text(tessera.HOUSE[f]))


def reference(use: Use) -> str:
    return f"import tessera\n\ndef {use.signature}:\n    {use.body}\n"


def task(f: str, name: str, use: Use, tests: str) -> dict[str, Any]:
    return {
        "id": f"{name}-{f}",
        "description": f"Use the in-house `tessera` library. Write a Python function `{use.signature}` that {use.asked}.",
        "entryPoint": "solve",
        "stub": f"import tessera\n\ndef {use.signature}:\n",
        "system": SYSTEM,
        "tests": tests,
    }


def dataset() -> dict[str, list[dict[str, Any]]]:
    """{"train": [task], "heldOut": [task with the `cluster` it shares with others]}."""
    made: dict[str, list[dict[str, Any]]] = {"train": [], "heldOut": []}
    for f in tessera.HOUSE:
        values = Values(is_text(tessera.HOUSE[f]))
        for name, use in uses_of(f).items():
            right, wrong = use.shape(getattr(tessera, f)), list(wrong_programs(f, name, use))
            drawn = partial(values.draw, use.arguments)
            tests = assertions(*telling(right, wrong, drawn, random.Random(f"{SEED}/{name}/{f}")))
            values.keep()
            if name in TRAIN:
                made["train"].append(task(f, name, use, tests))
            else:
                made["heldOut"].append({**task(f, name, use, tests), "cluster": f})
    for tasks in made.values():
        random.Random(SEED).shuffle(tasks)
    return made


if __name__ == "__main__":
    json.dump(dataset(), sys.stdout, indent=2)
    print()

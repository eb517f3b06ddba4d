"""The inputs of a trial: the corpora as the trainer reads them, and the job that the operator would have written."""

import json
import pathlib
from typing import Any

from rune_trainer.canonical import file_sha256, model_identity
from rune_trainer.contract import Job
from rune_trainer.job import parse_job
from rune_trainer.sources import Source
from rune_trainer.trajectory import lines_of

HERE = pathlib.Path(__file__).resolve().parent
NOWHERE = "http://127.0.0.1:9"
"""No registry is used: a trial's results stay local."""
LOOKS = 5
"""How often the alarms are measured."""


def sources_of(path: pathlib.Path) -> list[Source]:
    """Every line of a corpus file; an invalid file ends the trial with a message."""
    return [Source(item) for item in lines_of(path.read_bytes(), path.name)]


def references_of(path: pathlib.Path) -> dict[str, list[dict[str, Any]]]:
    """`references.jsonl`: project → examples, each a task with a program that passes."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in path.read_text().splitlines():
        example = json.loads(line)
        found.setdefault(example["task"]["cluster"], []).append(example)
    return found


def settings_of(preset: str, steps: int | None = None, batch_size: int | None = None) -> dict[str, Any]:
    """The section `hypernetwork` of one of the presets, with the changes of the command line."""
    settings = json.loads((HERE.parent / "hypernetwork.json").read_text())[preset]
    return {**settings, **({"steps": steps} if steps else {}), **({"batchSize": batch_size} if batch_size else {})}


def job_of(base: pathlib.Path, corpus: pathlib.Path, scratch: pathlib.Path, settings: dict[str, Any]) -> Job:
    """`trainerJob` of crds/contracts/trainer.ts."""
    digest = f"sha256:{file_sha256(corpus)}"
    return parse_job({
        "owner": {"kind": "TrainingRun", "namespace": "libraries", "name": "libraries", "uid": digest[7:43]},
        "attempt": 1,
        "method": "hypernetwork",
        "hypernetwork": settings,
        "base": {"path": str(base), "name": base.name, "digest": model_identity(base)},
        "corpus": {"trajectories": [{"repository": "rune/libraries/corpora", "digest": digest}], "include": ["Programs"], "digest": digest},
        "adapters": [],
        "output": {"repository": "rune/libraries/hypernetworks", "generation": 0, "parents": []},
        "checkpoint": {"directory": str(scratch / "checkpoints"), "everySteps": max(1, settings["steps"] // LOOKS)},
        "registry": {"url": NOWHERE, "tokenFile": "/dev/null"},
    })  # fmt: skip

"""The last words of a run: its result, or why there is none, where Kubernetes keeps them."""

import os
import pathlib
import sys
from typing import Any

from rune_trainer.canonical import canonical
from rune_trainer.errors import Ending

LIMIT = 4096
"""Kubernetes keeps no more of a termination message."""
MESSAGE_CHARACTERS = 1000
RESULT_FIELDS = ("repository", "digest", "sizeBytes", "rank", "alpha", "targetModules", "examples", "steps", "trainingLoss", "deltaWNorm", "durationSeconds", "mlflowRunID")


def message_of(ending: Ending) -> dict[str, Any]:
    return {"failure": {"reason": ending.reason, "message": ending.message[:MESSAGE_CHARACTERS]}}


def result_of(values: dict[str, Any]) -> dict[str, Any]:
    """`trainerResult` in crds/src/artifact.ts; what is unknown is left out."""
    return {name: values[name] for name in RESULT_FIELDS if values.get(name) is not None}


def leave(content: dict[str, Any]) -> None:
    """Writes the termination message. The result is safe in the registry already, so a failure here is only told."""
    data = canonical(content)
    assert len(data) <= LIMIT, f"a termination message of {len(data)} bytes"
    path = pathlib.Path(os.environ.get("RUNE_TERMINATION_LOG", "/dev/termination-log"))
    try:
        path.write_bytes(data)
    except OSError as error:
        print(f"the termination message could not be written to {path}: {error}", file=sys.stderr)
    print(data.decode(), flush=True)

"""How a training went: the layer `training.json` (`trainingCurve` in crds/contracts/artifact.ts) of the artifacts that
are trained, and of the adapters that a hypernetwork generates, which repeat its bytes.

Equal trainings give equal bytes: it has no times, and a run that was interrupted measures what an uninterrupted one
does.
"""

import json
import math
import pathlib
from dataclasses import dataclass
from typing import Any, Literal

from rune_trainer.canonical import canonical
from rune_trainer.contract import MOST_CURVE_POINTS, TRAINING_FILE, Schema
from rune_trainer.errors import data_error
from rune_trainer.registry import Repository
from rune_trainer.result import short


@dataclass(frozen=True)
class Look:
    """What was measured after a step, without what is no number."""

    step: int
    measured: dict[str, float]

    @staticmethod
    def of(step: int, measured: dict[str, float]) -> "Look":
        """Figures of single layers, `name/layer`, are left to the tracker."""
        kept = {name: short(value) for name, value in measured.items() if "/" not in name and math.isfinite(value)}
        return Look(step, kept)

    def fields(self) -> dict[str, Any]:
        return {"step": self.step, "measured": self.measured}


def write(
    directory: pathlib.Path, trained: Literal["Adapter", "Hypernetwork"], losses: list[float], looks: list[Look]
) -> None:
    """`losses`: of every step."""
    document = {
        "schema": Schema.TRAINING,
        "trained": trained,
        "loss": thinned(losses),
        "checkpoints": [look.fields() for look in spread(looks)],
    }
    (directory / TRAINING_FILE).write_bytes(canonical(document))


def thinned(losses: list[float], most: int = MOST_CURVE_POINTS) -> list[dict[str, Any]]:
    """Means of parts that differ by one step at most in length, each at its last step."""
    count = min(most, len(losses))
    ends = [len(losses) * (number + 1) // count for number in range(count)]
    return [
        {"step": end, "loss": short(math.fsum(losses[first:end]) / (end - first))}
        for first, end in zip([0, *ends], ends, strict=False)
    ]


def spread(looks: list[Look], most: int = MOST_CURVE_POINTS) -> list[Look]:
    """The first, the last, and those evenly between."""
    if len(looks) <= most:
        return looks
    return [looks[number * (len(looks) - 1) // (most - 1)] for number in range(most)]


def of_artifact(repository: Repository, digest: str) -> bytes | None:
    """The bytes of an artifact's own; None for one without, such as an imported one."""
    content = repository.pull_titled(digest, TRAINING_FILE)
    try:
        if content is None or json.loads(content)["schema"] == Schema.TRAINING:
            return content
        why = "it has another schema"
    except (ValueError, LookupError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
    raise data_error(
        "UnexpectedArtifact", f"{TRAINING_FILE} of {repository.name}@{digest} is none of Rune's ({why}); train it again"
    )

"""The whole of method `control`: an adapter in another's shape without knowledge, as a baseline for others.

It has no canary: a random change of the weights may not show in any single answer, and zeros never do. Its
config contains `control`, from which the loader learns that no effect is expected.
"""

import math
import pathlib
import tempfile
import time
from typing import Any

import torch

from rune_trainer import adapter_io, adapters, publish, training_data
from rune_trainer.combining import draws
from rune_trainer.contract import Control, Job, MediaType
from rune_trainer.delta import Pair, Pairs, squared_norm
from rune_trainer.errors import data_error
from rune_trainer.method_sft import verify_base
from rune_trainer.model import PRECISIONS
from rune_trainer.registry import Repository
from rune_trainer.runtime import Runtime

CHANGED_NOTHING = "name an adapter whose change is not zero"


def run(job: Job, runtime: Runtime) -> dict[str, Any]:
    """Publishes one adapter and returns the values of `trainerResult`."""
    assert job.control
    output = Repository(job.registry.url, job.registry.token_file, job.output.repository)
    return publish.adopt(output, job, MediaType.ADAPTER, {"control": True}) or make(job, job.control, output)


def make(job: Job, settings: Control, output: Repository) -> dict[str, Any]:
    started = time.monotonic()
    verify_base(job)
    like = adapters.load(job, job.adapters[0])
    shapes = {path: (pair.a.shape[1], pair.b.shape[0]) for path, pair in like.pairs().items()}
    pairs = KINDS[settings.kind](like.pairs(), settings.seed)
    tensors = adapters.tensors_of(
        {path: Pair(pair.a, pair.b / like.shape.scale) for path, pair in pairs.items()}, PRECISIONS[like.precision]
    )
    statistics = {
        "examples": 0,
        "steps": 0,
        "trainingLoss": 0,
        "deltaWNorm": round(adapter_io.delta_norm(tensors, like.shape.scale), 4),
    }
    if settings.kind == "RandomOfEqualNorm" and not statistics["deltaWNorm"]:
        raise data_error(
            "NothingToImitate",
            f"adapter {like.name} changes nothing, so there is no norm to equal; {CHANGED_NOTHING}, or ask for kind Zero",
        )
    with tempfile.TemporaryDirectory(prefix="adapter.") as scratch:
        directory = pathlib.Path(scratch)
        adapter_io.write(directory, job.base, like.shape, tensors, shapes, zero=True, advice=CHANGED_NOTHING)
        training_data.TrainingData().write(directory)
        config = publish.adapter_config(job, like.shape, None, control=True)
        published = publish.publish(output, job, publish.Artifact(MediaType.ADAPTER, directory, config), statistics)
    return {**published, **statistics, **like.shape.fields(), "durationSeconds": round(time.monotonic() - started, 1)}


def zeros(pairs: Pairs, seed: int) -> Pairs:
    """An adapter as before training: A random, B zero."""
    drawn = {path: random(pair, draws(seed, path, 0)) for path, pair in pairs.items()}
    return {path: Pair(pair.a, torch.zeros_like(pair.b)) for path, pair in drawn.items()}


def of_equal_norm(pairs: Pairs, seed: int) -> Pairs:
    """Gaussian factors in the same shapes, with the ‖ΔW‖ of the imitated adapter in every layer."""
    return {path: scaled(random(pair, draws(seed, path, 0)), squared_norm(pair)) for path, pair in pairs.items()}


KINDS = {"RandomOfEqualNorm": of_equal_norm, "Zero": zeros}


def random(pair: Pair, generator: torch.Generator) -> Pair:
    return Pair(torch.randn(pair.a.shape, generator=generator), torch.randn(pair.b.shape, generator=generator))


def scaled(pair: Pair, squared: float) -> Pair:
    """The same direction at another norm, with factors of similar size."""
    factor = math.sqrt(math.sqrt(squared / squared_norm(pair)))
    return Pair(pair.a * factor, pair.b * factor)

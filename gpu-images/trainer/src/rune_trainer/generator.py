"""A hypernetwork from its artifact, and the adapters that it generates."""

import collections.abc
import contextlib
import json
import pathlib
import tempfile
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from rune_trainer.contract import TITLE_ANNOTATION, TRAINING_ANNOTATION, UNNAMED_ALARM, Job, MediaType
from rune_trainer.contract import Hypernetwork as Settings
from rune_trainer.encoder import Encoder, Kept, Text
from rune_trainer.errors import Ending, data_error
from rune_trainer.functional import Pairs, applied, by_trajectory
from rune_trainer.hypernetwork import Hypernetwork
from rune_trainer.model import target_shapes
from rune_trainer.registry import Repository
from rune_trainer.settings import read_section

WEIGHTS = "hypernetwork.safetensors"
RETOLD = ("trainingLoss", "metrics", "collapsed")
"""Statistics of a hypernetwork's training that its adapters repeat."""


@dataclass(frozen=True)
class Stored:
    where: str
    settings: Settings
    tensors: dict[str, torch.Tensor]
    training: dict[str, Any]
    """`hypernetworkTraining` in crds/contracts/artifact.ts"""


def read(repository: Repository, job: Job) -> Stored:
    """The job's hypernetwork, or an error with the reason, before any base is loaded."""
    assert job.generator and job.generate
    where = f"{repository.name}@{job.generator.digest}"
    manifest = repository.need_manifest(job.generator.digest)
    try:
        if manifest.get("artifactType") != MediaType.HYPERNETWORK:
            raise unusable(where, f"its type is {manifest.get('artifactType')!r}")
        config = json.loads(repository.pull_blob(manifest["config"]["digest"]))
        check(where, config, job)
        settings = read_section(Settings, config["settings"], "settings")
        if config["rank"] != settings.rank:
            raise data_error(
                "WrongRank",
                f"{where} says rank {config['rank']}, it was trained with rank {settings.rank}; train it again",
            )
        training = training_of(job.generator.digest, manifest, config)
        return Stored(where, settings, pull_weights(repository, manifest), training)
    except (ValueError, LookupError, TypeError, AttributeError, SafetensorError) as error:
        raise unusable(where, f"{type(error).__name__}: {error}") from error


def training_of(digest: str, manifest: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    annotations = manifest.get("annotations", {})
    told = {
        name: json.loads(annotations[TRAINING_ANNOTATION + name])
        for name in RETOLD
        if TRAINING_ANNOTATION + name in annotations
    }
    unnamed = {"collapsed": UNNAMED_ALARM} if config["collapsed"] else {}
    return {"digest": digest, **unnamed, **told}


def check(where: str, config: dict[str, Any], job: Job) -> None:
    assert job.generate
    if config["base"]["digest"] != job.base.digest:
        raise data_error(
            "WrongBase",
            f"{where} was trained on the base {config['base']['name']} {config['base']['digest']}, the job's is {job.base.name} {job.base.digest}; name the base that it was trained on",
        )
    if config["collapsed"] and not job.generate.force:
        raise data_error(
            "Collapsed",
            f"the training of {where} ended as collapsed: its adapters hardly depend on the trajectory; train it on more or other sessions, or set generate.force to study it",
        )


def unusable(where: str, why: str) -> Ending:
    return data_error(
        "UnexpectedArtifact", f"{where} is no hypernetwork of Rune's ({why}); name one that a TrainingRun made"
    )


def pull_weights(repository: Repository, manifest: dict[str, Any]) -> dict[str, torch.Tensor]:
    digest = next(layer["digest"] for layer in manifest["layers"] if layer["annotations"][TITLE_ANNOTATION] == WEIGHTS)
    with tempfile.TemporaryDirectory(prefix="hypernetwork.") as scratch:
        path = pathlib.Path(scratch, WEIGHTS)
        repository.pull_file(digest, path)
        return load_file(path)


class Generator:
    """Reads a text and generates its pairs, rank r per chunk, as one row (N = 1)."""

    def __init__(self, model: Any, stored: Stored):
        shapes = target_shapes(model, stored.settings.target_modules, "hypernetwork")
        self.model, self.encoder = model, Encoder(model, Kept(0))
        self.network = Hypernetwork(self.encoder.features, shapes, stored.settings)
        try:
            self.network.load_state_dict(stored.tensors)
        except RuntimeError as error:
            raise data_error(
                "WrongShape",
                f"the weights of {stored.where} don't fit this base, rank {stored.settings.rank} and width {stored.settings.width}: {error}",
            ) from error
        self.network.to(model.device).settle()

    @torch.no_grad()
    def pairs_of(self, text: Text) -> Pairs:
        features, mask, counts = self.encoder.batch([text])
        return by_trajectory(self.network(features, mask), counts)

    @torch.no_grad()
    def static(self) -> Pairs:
        return self.network.static()


class Switchable:
    """The base with one adapter, in the form that `canary` uses."""

    def __init__(self, model: Any, pairs: Pairs):
        self.model, self.pairs, self.device = model, pairs, model.device
        self.on = True

    def generate(self, **arguments: Any) -> Any:
        with applied(self.model, self.pairs) if self.on else contextlib.nullcontext():
            return self.model.generate(**arguments)

    @contextlib.contextmanager
    def disable_adapter(self) -> collections.abc.Generator[None, None, None]:
        self.on = False
        try:
            yield
        finally:
            self.on = True

"""The whole of method `generate`: a hypernetwork and trajectories → adapters, by one forward pass over each."""

import pathlib
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from rune_trainer import adapter_io, publish, training_curve, training_data
from rune_trainer.adapter_tensors import pairs_from, tensors_from
from rune_trainer.canary import canary_of
from rune_trainer.contract import HYPERNETWORK_STATISTIC, LARGEST_RANK, TRAINING_FILE, Job, MediaType
from rune_trainer.contract import Hypernetwork as Settings
from rune_trainer.corpus import asked_rows
from rune_trainer.encoder import Text, text_of
from rune_trainer.errors import Ending, data_error, terminated
from rune_trainer.examples import examples_of
from rune_trainer.functional import Pairs, joined
from rune_trainer.generator import Generator, Switchable, read
from rune_trainer.method_sft import verify_base
from rune_trainer.model import PRECISIONS, device_of, linear_shapes, load_base
from rune_trainer.parsing import written
from rune_trainer.registry import Descriptor, Repository
from rune_trainer.rendering import load_tokenizer
from rune_trainer.runtime import Runtime
from rune_trainer.settings import Shape
from rune_trainer.sft import Progress
from rune_trainer.sources import Source, pull_sources

CANARY_EXAMPLES = 2
"""Questions per trajectory that are used to choose a new adapter's canary."""
IDENTITY = ("namespace", "name", "uid")
ADVICE = "train the hypernetwork longer, or on more sessions"


@dataclass(frozen=True)
class Piece:
    """A trajectory in the encoder's form."""

    source: Source
    text: Text


def run(job: Job, runtime: Runtime) -> dict[str, Any]:
    """Publishes one adapter, or an index of one per trajectory, and returns the values of `trainerResult`."""
    assert job.generate
    output = Repository(job.registry.url, job.registry.token_file, job.output.repository)
    type_ = MediaType.ADAPTER if job.generate.each == "Corpus" else MediaType.ADAPTERS
    return publish.adopt(output, job, type_, {}) or generate(job, runtime, output)


def generate(job: Job, runtime: Runtime, output: Repository) -> dict[str, Any]:
    assert job.generate and job.generator
    started = time.monotonic()
    origin = Repository(job.registry.url, job.registry.token_file, job.generator.repository)
    stored = read(origin, job)
    verify_base(job)
    tokenizer, settings = load_tokenizer(job.base.path), stored.settings
    pieces = [
        Piece(s, text_of(tokenizer, s.trajectory, settings.chunk_tokens, settings.max_chunks))
        for s in pull_sources(job)
    ]
    together = job.generate.each == "Corpus"
    for part in [pieces] if together else [[piece] for piece in pieces]:
        check_rank(part, settings.rank)
    model = load_base(job.base.path, settings, device_of())
    taught = training_data.of_artifact(origin, job.generator.digest)
    curved = training_curve.of_artifact(origin, job.generator.digest)
    workshop = Workshop(job, tokenizer, model, Generator(model, stored), settings, taught, stored.training, curved)
    if together:
        if runtime.stopping():
            raise stopped(0, 1)
        with tempfile.TemporaryDirectory(prefix="adapter.") as scratch:
            artifact, norm = workshop.make(pieces, pathlib.Path(scratch))
            runtime.report(Progress(1, 1, None, time.monotonic() - started))
            statistics = statistics_of(len(pieces), norm)
            published = publish.publish(output, job, artifact, statistics)
    else:
        pushed, norm = push_each(workshop, pieces, output, runtime)
        statistics = statistics_of(len(pieces), norm)
        published = publish.publish_index(output, job, pushed, statistics)
    runtime.tracker.metric("delta_w_norm", norm, 0)
    shape = shape_of(pieces, settings).fields() if together else {}
    return {**shape, **published, **statistics, "durationSeconds": round(time.monotonic() - started, 1)}


def push_each(
    workshop: "Workshop", pieces: list[Piece], output: Repository, runtime: Runtime
) -> tuple[list[tuple[Descriptor, int]], float]:
    """(the pushed adapter of each piece, their mean ‖ΔW‖). The disk holds one of them at a time."""
    pushed, norms, started = list[tuple[Descriptor, int]](), list[float](), time.monotonic()
    for number, piece in enumerate(pieces):
        if runtime.stopping():
            raise stopped(number, len(pieces))
        with tempfile.TemporaryDirectory(prefix="adapter.") as scratch:
            artifact, norm = workshop.make([piece], pathlib.Path(scratch))
            pushed.append(publish.push_member(output, artifact))
        norms.append(norm)
        runtime.report(Progress(number + 1, len(pieces), None, (time.monotonic() - started) / (number + 1)))
    return pushed, sum(norms) / len(norms)


def stopped(made: int, wanted: int) -> Ending:
    return terminated(f"asked to stop after {made} of {wanted} adapters; the next attempt begins again")


def statistics_of(trajectories: int, norm: float) -> dict[str, Any]:
    """Nothing is trained here, so there is no loss."""
    return {"examples": trajectories, "steps": 0, "trainingLoss": 0, "deltaWNorm": round(norm, 4)}


def check_rank(part: list[Piece], rank: int) -> None:
    chunks = sum(len(piece.text.chunks) for piece in part)
    if (total := (chunks + 1) * rank) > LARGEST_RANK:
        raise data_error(
            "RankTooLarge",
            f"{len(part)} trajectories in {chunks} chunks make an adapter of rank {total} ({rank} for each chunk and for the static part), a server takes at most {LARGEST_RANK}: "
            "generate from fewer or shorter trajectories, or each: Session and merge the adapters",
        )


def shape_of(part: list[Piece], settings: Settings) -> Shape:
    rank = settings.rank * (1 + sum(len(piece.text.chunks) for piece in part))
    return Shape(rank, rank, settings.target_modules)


@dataclass(frozen=True)
class Workshop:
    """The inputs for making an adapter."""

    job: Job
    tokenizer: Any
    model: Any
    generator: Generator
    settings: Settings
    """Of the hypernetwork."""
    learnt: training_data.TrainingData
    """By the hypernetwork."""
    training: dict[str, Any]
    """How the hypernetwork's went."""
    curve: bytes | None
    """The hypernetwork's `training.json`."""

    def make(self, part: list[Piece], directory: pathlib.Path) -> tuple[publish.Artifact, float]:
        """(the adapter of these trajectories together, ‖ΔW‖)"""
        shape = shape_of(part, self.settings)
        pairs = joined([*(self.generator.pairs_of(piece.text) for piece in part), self.generator.static()])
        tensors = tensors_from(pairs, 0, PRECISIONS[self.settings.precision])
        shapes = linear_shapes(self.model, shape.target_modules)
        adapter_io.write(directory, self.job.base, shape, tensors, shapes, advice=ADVICE)
        seen = training_data.of_tasks(
            (piece.source.digest for piece in part), (piece.source.trajectory["task"] for piece in part)
        )
        (self.learnt | seen).write(directory)
        if self.curve:
            (directory / TRAINING_FILE).write_bytes(self.curve)
        served = pairs_from(tensors, self.model.device)
        config = publish.adapter_config(self.job, shape, self.canary(part, served), **self.identity(part))
        norm = adapter_io.delta_norm(tensors, shape.scale)
        training = {**statistics_of(len(part), norm), HYPERNETWORK_STATISTIC: self.training}
        return publish.Artifact(MediaType.ADAPTER, directory, config, training), norm

    def canary(self, part: list[Piece], served: Pairs) -> dict[str, Any] | None:
        rows = [row for piece in part for row in asked_rows(piece.source.item, ("Programs",))[:CANARY_EXAMPLES]]
        examples, _ = examples_of(self.tokenizer, rows, self.settings.max_length) if rows else ([], 0)
        return canary_of(Switchable(self.model, served), self.tokenizer, examples)

    def identity(self, part: list[Piece]) -> dict[str, Any]:
        """Identity of an adapter of one session, with its scope if the job has none."""
        assert self.job.generate
        if self.job.generate.each == "Corpus":
            return {}
        trajectory = part[0].source.trajectory
        session = {name: (trajectory.get("session") or {}).get(name) for name in IDENTITY}
        told = self.job.output.scope
        scope = written(told) if told is not None else trajectory.get("scope") or {}
        return {
            "scope": scope,
            **({"session": session} if all(isinstance(value, str) for value in session.values()) else {}),
        }

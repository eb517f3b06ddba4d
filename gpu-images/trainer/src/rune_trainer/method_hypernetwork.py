"""The whole of method `hypernetwork`: corpus → lessons → training under alarms → artifact."""

import dataclasses
import math
import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import save_file

from rune_trainer import publish, sufficiency, training_curve
from rune_trainer.alarms import Watch, weight_norms
from rune_trainer.contract import Hypernetwork as Settings
from rune_trainer.contract import Job, MediaType, Schema
from rune_trainer.encoder import Encoder, Kept, activation_ratios
from rune_trainer.errors import bad_input
from rune_trainer.generator import WEIGHTS
from rune_trainer.grouping import packs_well
from rune_trainer.hyper_training import Outcome, Training, train
from rune_trainer.hypernetwork import Hypernetwork
from rune_trainer.lessons import Lesson, Reader
from rune_trainer.method_sft import last_tenth, verify_base
from rune_trainer.model import device_of, load_base, target_shapes
from rune_trainer.objectives import Asking
from rune_trainer.pairs import solved, split_of
from rune_trainer.parsing import written
from rune_trainer.reconstruction_targets import ReconstructionTargets
from rune_trainer.registry import Repository
from rune_trainer.rendering import load_tokenizer
from rune_trainer.runtime import Runtime
from rune_trainer.sft import Run
from rune_trainer.sources import Source, pull_sources, training_data_of
from rune_trainer.teaching import window_of
from rune_trainer.variety import variety_of

SCALED_BY = 8
"""Trajectories whose activations set the scales of the layers."""
STATUS = (
    "cosineDiversity",
    "varianceRatio",
    "effectiveRank",
    "behaviourDistance",
    "rightMinusWrong",
    "rightMinusMean",
    "relativeNorm",
)
"""Metrics that are in a TrainingRun's status."""
TRACKED = {
    "cosineDiversity": "adapter_cosine_diversity",
    "deltaWNorm": "delta_w_norm",
    "varianceRatio": "variance_ratio",
    "effectiveRank": "effective_rank",
    "behaviourDistance": "behaviour_distance",
    "rightMinusWrong": "right_minus_wrong",
    "rightMinusMean": "right_minus_mean",
    "relativeNorm": "relative_norm",
    "heldOutLoss": "held_out_loss",
    "reconstructionError": "reconstruction_error",
    "reconstructionErrorOfMean": "reconstruction_error_of_mean",
    "reconstructionErrorOfRandom": "reconstruction_error_of_random",
}
"""Names in the tracker; every layer's relative norm is `relative_norm/<path>`."""


def run(job: Job, runtime: Runtime) -> dict[str, Any]:
    """Publishes one hypernetwork and returns the values of `trainerResult`."""
    output = Repository(job.registry.url, job.registry.token_file, job.output.repository)
    expected = {"settings": settings_of(job)}
    adopted = runtime.workers.once(lambda: publish.adopt(output, job, MediaType.HYPERNETWORK, expected))
    return adopted or learn(job, runtime, output)


def settings_of(job: Job) -> dict[str, Any]:
    """The section as it was read, defaults included, as the job document has it: `generate` reads it again."""
    return written(job.hypernetwork)


@dataclasses.dataclass(frozen=True)
class Material:
    """The training material, before any weight is read."""

    training: list[Lesson]
    held_out: list[Lesson]
    examples: int
    corpus: dict[str, float]
    """Metrics of the corpus."""


def learn(job: Job, runtime: Runtime, output: Repository) -> dict[str, Any]:
    """The values of what the first worker publishes; nothing in the others."""
    assert job.hypernetwork
    started, workers = time.monotonic(), runtime.workers
    workers.once(lambda: verify_base(job))
    tokenizer = load_tokenizer(job.base.path)
    sources = workers.once(lambda: pull_sources(job))
    material = material_of(job, tokenizer, sources)
    runtime.track_corpus(material.corpus)
    training = training_of(job, tokenizer, material, workers.device)
    done = train(training, run_of(job, runtime), teller(runtime))
    if not workers.first:
        return {}
    if done.collapsed:
        print(f"the training ended as collapsed: {done.collapsed}", flush=True)
    statistics = statistics_of(material, done)
    with tempfile.TemporaryDirectory(prefix="hypernetwork.") as scratch:
        training_curve.write(pathlib.Path(scratch), "Hypernetwork", done.losses, done.looks)
        published = store(job, output, training, sources, statistics, pathlib.Path(scratch))
    return {**published, **statistics, "durationSeconds": round(time.monotonic() - started, 1)}


def material_of(job: Job, tokenizer: Any, sources: list[Source]) -> Material:
    """Refuses, with a reason, material that can't teach a hypernetwork."""
    assert job.hypernetwork and job.corpus
    settings, include = job.hypernetwork, job.corpus.include
    usable = solved(sources)
    varied = variety_of(source.trajectory for source in usable)
    print(f"the corpus has {varied}", flush=True)
    sufficiency.check_sources(usable, varied, len(sources), include, settings)
    split = split_of(usable, include, settings.holdout_percent, settings.seed)
    sufficiency.check_adapters(split, settings)
    reader = Reader(tokenizer, settings)
    training, held_out = reader.lessons(split.training), reader.lessons(split.held_out, len(split.training))
    count = reader.count
    dropped = sufficiency.dropped_percent(count.long, count.examples, "hypernetwork.maxLength", settings.max_length)
    sufficiency.check_lessons([*training, *held_out], len(held_out), settings)
    cut = sum(lesson.text.left_out > 0 for lesson in (*training, *held_out))
    print(
        f"{len(training)} trajectories to learn from and {len(held_out)} held out, {count.examples} examples of which {count.long} are too long and left out; "
        f"{count.changed} are changed by the base's chat template and left out; {cut} trajectories are longer than maxChunks · chunkTokens and lost their oldest attempts",
        flush=True,
    )
    corpus = {"droppedPercent": dropped, **varied.metrics()}
    return Material(training, held_out, count.examples - count.long, corpus)


def training_of(job: Job, tokenizer: Any, material: Material, device: torch.device | None = None) -> Training:
    assert job.hypernetwork
    settings = job.hypernetwork
    model = load_base(job.base.path, settings, device or device_of())
    shapes = target_shapes(model, settings.target_modules, "hypernetwork")
    check_window([*material.training, *material.held_out], window_of(model), settings)
    kept = Kept()
    encoder, asking = (
        Encoder(model, kept),
        Asking(model, tokenizer, settings.objective, settings.top_k, packs_well(model), kept),
    )
    torch.manual_seed(settings.seed)
    network = Hypernetwork(encoder.features, shapes, settings)
    network.set_scales(
        activation_ratios(model, list(shapes), [lesson.text for lesson in material.training[:SCALED_BY]])
    )
    targets = None
    if settings.objective == "Reconstruction":
        targets = ReconstructionTargets(job, shapes, model.device)
        targets.check((*material.training, *material.held_out))
    watch = Watch(asking, encoder, material.held_out, weight_norms(model, list(shapes)), targets)
    print(
        f"the hypernetwork has {sum(p.numel() for p in network.parameters())} parameters for {len(shapes)} layers of the base",
        flush=True,
    )
    return Training(network.to(model.device), encoder, asking, material.training, settings, watch, targets)


def check_window(lessons: list[Lesson], window: int, settings: Settings) -> None:
    """What the base reads at once must be within its window, beyond which its outputs are noise: a chunk, and as teacher
    a whole trajectory and a question.
    """
    chunk = max(len(chunk) for lesson in lessons for chunk in lesson.text.chunks)
    if chunk > window:
        raise bad_input(
            f"hypernetwork.chunkTokens allows chunks of {chunk} tokens, the base reads {window} at most; lower it"
        )
    taught = max(
        sum(map(len, lesson.text.chunks)) + len(question.example)
        for lesson in lessons
        for group in lesson.groups
        for question in group
    )
    if settings.objective == "Distillation" and taught > window:
        raise bad_input(
            f"the teacher would read a trajectory and a question of {taught} tokens together, the base reads {window} at most; "
            "lower hypernetwork.maxChunks, chunkTokens or maxLength, or use objective CrossEntropy"
        )


def run_of(job: Job, runtime: Runtime) -> Run:
    assert job.hypernetwork and job.corpus
    identity = {
        "base": job.base.digest,
        "corpus": job.corpus.digest,
        "include": list(job.corpus.include),
        "hypernetwork": repr(job.hypernetwork),
        "uid": job.owner.uid,
    }
    return Run(
        pathlib.Path(job.checkpoint.directory),
        identity,
        job.checkpoint.every_steps,
        runtime.stopping,
        runtime.report_loss,
        runtime.workers,
    )


def teller(runtime: Runtime) -> Callable[[dict[str, float], int], None]:
    def tell(measured: dict[str, float], step: int) -> None:
        for name, value in measured.items():
            kind, _, layer = name.partition("/")
            runtime.tracker.metric(f"{TRACKED[kind]}/{layer}" if layer else TRACKED[kind], value, step)
        runtime.tracker.flush()
        print(
            f"after step {step}: " + ", ".join(f"{TRACKED[name]} {measured[name]:.4f}" for name in STATUS), flush=True
        )

    return tell


def statistics_of(material: Material, done: Outcome) -> dict[str, Any]:
    metrics = {**material.corpus, **{name: done.measured[name] for name in STATUS}}
    return {
        "examples": material.examples,
        "steps": len(done.losses),
        "trainingLoss": round(last_tenth(done.losses), 5),
        "deltaWNorm": round(done.measured["deltaWNorm"], 4),
        "metrics": {name: float(f"{value:.6g}") for name, value in metrics.items() if math.isfinite(value)},
        **({"collapsed": done.collapsed} if done.collapsed else {}),
    }


def store(
    job: Job,
    output: Repository,
    training: Training,
    sources: list[Source],
    statistics: dict[str, Any],
    directory: pathlib.Path,
) -> dict[str, Any]:
    assert job.hypernetwork and job.corpus
    save_file(
        {name: t.detach().cpu().contiguous() for name, t in sorted(training.network.state_dict().items())},
        directory / WEIGHTS,
    )
    training_data_of(job, sources).write(directory)
    config = {
        "schema": Schema.HYPERNETWORK,
        "base": {"name": job.base.name, "digest": job.base.digest},
        "rank": job.hypernetwork.rank,
        "targetModules": list(job.hypernetwork.target_modules),
        "chunkTokens": job.hypernetwork.chunk_tokens,
        "maxChunks": job.hypernetwork.max_chunks,
        "source": publish.source_of(job),
        "collapsed": "collapsed" in statistics,
        "settings": settings_of(job),
    }
    return publish.publish(output, job, publish.Artifact(MediaType.HYPERNETWORK, directory, config), statistics)

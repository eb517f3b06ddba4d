"""The whole of method `sft`: corpus → training → files → canary → artifact."""

import dataclasses
import pathlib
import tempfile
import time
from typing import Any

from rune_trainer import adapter_io, adapters, publish, sufficiency, teaching, training_curve, training_data
from rune_trainer.canary import canary_of
from rune_trainer.canonical import model_identity
from rune_trainer.contract import Job, MediaType
from rune_trainer.corpus import asked_rows, distinct
from rune_trainer.errors import bad_input, data_error
from rune_trainer.examples import Example, examples_of
from rune_trainer.model import PRECISIONS, add_lora, linear_shapes, load_base, put_weights
from rune_trainer.pairs import solved
from rune_trainer.registry import Repository
from rune_trainer.rendering import load_tokenizer
from rune_trainer.result import short
from rune_trainer.runtime import Runtime
from rune_trainer.settings import Shape, shape_of
from rune_trainer.sft import Loss, Progress, Run, cross_entropy, train
from rune_trainer.sources import Source, pull_sources, training_data_of
from rune_trainer.trajectory import Item
from rune_trainer.variety import variety_of


def run(job: Job, runtime: Runtime) -> dict[str, Any]:
    """Publishes one adapter and returns the values of `trainerResult`."""
    assert job.sft
    output = Repository(job.registry.url, job.registry.token_file, job.output.repository)
    shape = shape_of(job.sft)
    adopted = runtime.workers.once(lambda: publish.adopt(output, job, MediaType.ADAPTER, shape.fields()))
    return adopted or {**shape.fields(), **learn(job, runtime, output)}


def learn(job: Job, runtime: Runtime, output: Repository) -> dict[str, Any]:
    """The values of what the first worker publishes; nothing in the others."""
    assert job.sft
    started, workers = time.monotonic(), runtime.workers
    workers.once(lambda: verify_base(job))
    tokenizer = load_tokenizer(job.base.path)
    sources = workers.once(lambda: pull_sources(job))
    items = [source.item for source in sources]
    parent = workers.once(lambda: parent_of(job))
    examples, corpus = examples_for(job, tokenizer, sources)
    runtime.track_corpus(corpus)
    base = load_base(job.base.path, job.sft, workers.device)
    shapes = linear_shapes(base, job.sft.target_modules)
    loss_of = (
        teachers_loss(job, tokenizer, items, examples, base, runtime)
        if job.sft.objective == "Distillation"
        else cross_entropy
    )
    model = add_lora(base, job.sft)
    if parent:
        put_weights(model, parent.tensors)
    done = train(model, examples, job.sft, run_of(job, runtime), loss_of)
    if not workers.first:
        return {}
    steps = len(done.losses)
    adapter_io.round_in_place(model, PRECISIONS[job.sft.precision])
    tensors = adapter_io.weights_of(model, PRECISIONS[job.sft.precision])
    norm = adapter_io.delta_norm(tensors, shape_of(job.sft).scale)
    statistics = {
        "examples": len(examples),
        "steps": steps,
        "trainingLoss": round(last_tenth(done.losses), 5),
        "deltaWNorm": round(norm, 4),
        "metrics": {name: short(value) for name, value in corpus.items()},
    }
    with tempfile.TemporaryDirectory(prefix="adapter.") as scratch:
        adapter_io.write(pathlib.Path(scratch), job.base, shape_of(job.sft), tensors, shapes)
        training_data.together([training_data_of(job, sources), *([parent.learnt] if parent else [])]).write(
            pathlib.Path(scratch)
        )
        looks = [*done.looks, training_curve.Look.of(steps, {"deltaWNorm": norm})]
        training_curve.write(pathlib.Path(scratch), "Adapter", done.losses, looks)
        canary = canary_of(model, tokenizer, examples)
        config = publish.adapter_config(job, shape_of(job.sft), canary)
        published = publish.publish(
            output, job, publish.Artifact(MediaType.ADAPTER, pathlib.Path(scratch), config), statistics
        )
    runtime.tracker.metric("delta_w_norm", norm, steps)
    return {**published, **statistics, "durationSeconds": round(time.monotonic() - started, 1)}


def parent_of(job: Job) -> adapters.Adapter | None:
    """The adapter from which training starts. It must have exactly the run's shape."""
    assert job.sft
    if not job.sft.warm_start:
        return None
    parent, wanted = adapters.load(job, job.adapters[0]), shape_of(job.sft)
    if parent.shape != wanted:
        raise bad_input(
            f"sft.warmStart names {parent.name}, which has {in_words(parent.shape)}; the run has {in_words(wanted)}: give sft what {parent.name} has"
        )
    return parent


def in_words(shape: Shape) -> str:
    return f"rank {shape.rank}, alpha {shape.alpha} and the modules {', '.join(shape.target_modules)}"


def teachers_loss(
    job: Job, tokenizer: Any, items: list[Item], examples: list[Example], base: Any, runtime: Runtime
) -> Loss:
    assert job.sft and job.corpus
    lessons = teaching.lessons_of(tokenizer, items, job.corpus.include, examples, teaching.window_of(base))
    run = run_of(job, runtime)
    return teaching.distance(
        teaching.teach(base, lessons, job.sft.top_k, dataclasses.replace(run, directory=run.directory / "teacher"))
    )


def verify_base(job: Job) -> None:
    found = model_identity(pathlib.Path(job.base.path))
    if found != job.base.digest:
        raise data_error(
            "BaseMismatch",
            f"the model staged at {job.base.path} is {found}, the job asks for {job.base.digest}; nothing was trained",
        )


def examples_for(job: Job, tokenizer: Any, sources: list[Source]) -> tuple[list[Example], dict[str, float]]:
    """(the examples, metrics of the corpus)"""
    assert job.sft and job.corpus
    rows = distinct([row for source in sources for row in asked_rows(source.item, job.corpus.include)])
    examples, long = examples_of(tokenizer, rows, job.sft.max_length)
    dropped = sufficiency.dropped_percent(long, len(examples) + long, "sft.maxLength", job.sft.max_length)
    if not examples:
        raise data_error(
            "EmptyCorpus",
            f"none of the {len(sources)} trajectories has a program that passed; learn from sessions that were solved",
        )
    varied = variety_of(source.trajectory for source in solved(sources))
    print(
        f"the corpus has {varied}; {len(examples)} examples from {len(sources)} trajectories, {sum(map(len, examples))} tokens, {sum(len(e.tail) for e in examples)} of them to learn; "
        f"{long} are longer than {job.sft.max_length} tokens and left out",
        flush=True,
    )
    return examples, {"droppedPercent": dropped, **varied.metrics()}


def run_of(job: Job, runtime: Runtime) -> Run:
    assert job.sft and job.corpus
    identity = {
        "base": job.base.digest,
        "corpus": job.corpus.digest,
        "include": list(job.corpus.include),
        "sft": repr(job.sft),
        "uid": job.owner.uid,
    }

    def report(progress: Progress) -> None:
        runtime.report_loss(progress)
        if progress.step % 20 == 0:
            runtime.tracker.flush()

    directory, every = pathlib.Path(job.checkpoint.directory), job.checkpoint.every_steps
    return Run(directory, identity, every, runtime.stopping, report, runtime.workers)


def last_tenth(losses: list[float]) -> float:
    tail = losses[-max(1, len(losses) // 10) :]
    return sum(tail) / len(tail)

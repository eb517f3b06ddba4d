"""The whole of method `merge`: adapters → weights, searched or given → one adapter → files → canary → artifact."""

import pathlib
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import torch

from rune_trainer import adapter_io, adapters, merging, publish, training_data, trajectory, weight_search
from rune_trainer.adapters import Adapter
from rune_trainer.canary import canary_among
from rune_trainer.combining import Recipe, rank_of
from rune_trainer.contract import LARGEST_RANK, Job, MediaType, Merge
from rune_trainer.corpus import asked_rows, distinct
from rune_trainer.delta import Pair, Pairs
from rune_trainer.errors import Ending, bad_input, data_error
from rune_trainer.examples import Example, examples_of
from rune_trainer.grouping import Grouping
from rune_trainer.job import parents_of
from rune_trainer.method_sft import verify_base
from rune_trainer.model import PRECISIONS, device_of, linear_shapes, load_base, put_weights, with_lora
from rune_trainer.parsing import written
from rune_trainer.registry import Repository
from rune_trainer.rendering import load_tokenizer
from rune_trainer.runtime import Runtime
from rune_trainer.settings import Loading, Precision, Shape
from rune_trainer.sft import Run
from rune_trainer.task_split import part_of
from rune_trainer.trajectory import Item
from rune_trainer.weight_search import Found

LONGEST = 4096
"""Limit per example that is used to judge weights."""
TRACKED = {"retainedEnergy": "retained_energy", "relativeErrorToExactSum": "relative_error_to_exact_sum"}
"""Names of the metrics in the tracker."""
WEIGH_AGAIN = "give merge.weights above 0 whose changes don't cancel"


def run(job: Job, runtime: Runtime) -> dict[str, Any]:
    """Publishes one adapter and returns the values of `trainerResult`."""
    assert job.merge
    output = Repository(job.registry.url, job.registry.token_file, job.output.repository)
    return publish.adopt(output, job, MediaType.ADAPTER, {"parents": written(job.output.parents)}) or make(
        job, job.merge, runtime, output
    )


@dataclass(frozen=True)
class Work:
    job: Job
    settings: Merge
    runtime: Runtime
    parents: list[Adapter]
    shape: Shape
    shapes: dict[str, tuple[int, int]]
    """Path of each layer that the result changes → (inputs, outputs)"""
    model: Any
    """The base with a pair on each of these layers."""

    @property
    def precision(self) -> Precision:
        return precision_of(self.parents)

    @property
    def dtype(self) -> torch.dtype:
        return PRECISIONS[self.precision]

    def recipe(self, weights: tuple[float, ...]) -> Recipe:
        return Recipe(self.settings.combine, weights, self.shape.rank, self.settings.density, self.settings.seed)

    def run(self, phase: str, weights: tuple[float, ...] = ()) -> Run:
        """A separate directory and identity per phase, so that none uses another's checkpoint."""
        job = self.job
        identity = {
            "base": job.base.digest,
            "adapters": [a.digest for a in job.adapters],
            "merge": repr(self.settings),
            "uid": job.owner.uid,
            "weights": list(weights),
        }
        return Run(
            pathlib.Path(job.checkpoint.directory) / phase,
            identity,
            job.checkpoint.every_steps,
            self.runtime.stopping,
            self.runtime.report,
        )

    def tensors(self, pairs: Pairs) -> adapter_io.Tensors:
        """The files' tensors: layers that no parent changes are zero, because engines require every layer of a
        module.
        """
        rank = self.shape.rank
        zeros = {
            path: Pair(torch.zeros(rank, inputs), torch.zeros(outputs, rank))
            for path, (inputs, outputs) in self.shapes.items()
            if path not in pairs
        }
        return adapters.tensors_of({**pairs, **zeros}, self.dtype)


def make(job: Job, settings: Merge, runtime: Runtime, output: Repository) -> dict[str, Any]:
    started = time.monotonic()
    verify_base(job)
    parents = [adapters.load(job, reference) for reference in parents_of(job)]
    strength = norm_of(adapters.load(job, job.adapters[-1])) if settings.norm_of else None
    require_knowledge(parents)
    shape = shape_of(settings, parents)
    tokenizer = load_tokenizer(job.base.path)
    examples = validation_examples(job, parents, tokenizer) if settings.search else []
    base = load_base(job.base.path, Loading(precision_of(parents)), device_of())
    shapes = linear_shapes(base, shape.target_modules)
    require_layers(parents, shapes)
    work, parts = (
        Work(job, settings, runtime, parents, shape, shapes, with_lora(base, shape)),
        [on(p, device_of()) for p in parents],
    )
    found = (
        searched(work, parts, examples) if settings.search else Found(settings.weights or (1.0,) * len(parents), 0.0, 0)
    )
    pairs, losses = merging.merged(parts, work.recipe(found.weights), work.dtype, work.run("layers", found.weights))
    if strength is not None:
        pairs = merging.of_norm(pairs, strength, work.dtype)
    tensors = work.tensors(pairs)
    statistics = {
        "examples": len(examples),
        "steps": found.tried,
        "trainingLoss": round(found.loss, 5),
        "deltaWNorm": round(adapter_io.delta_norm(tensors, 1.0), 4),
        "metrics": losses.metrics(),
        "weights": list(found.weights) if settings.search else None,
    }
    published = store(work, tokenizer, tensors, statistics, output)
    for name, value in losses.metrics().items():
        runtime.tracker.metric(TRACKED[name], value, 0)
    return {**published, **statistics, **shape.fields(), "durationSeconds": round(time.monotonic() - started, 1)}


def store(
    work: Work, tokenizer: Any, tensors: adapter_io.Tensors, statistics: dict[str, Any], output: Repository
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="adapter.") as scratch:
        directory = pathlib.Path(scratch)
        adapter_io.write(directory, work.job.base, work.shape, tensors, work.shapes, advice=WEIGH_AGAIN)
        training_data.together(p.learnt for p in work.parents).write(directory)
        put_weights(work.model, tensors)
        canary = canary_among(work.model, tokenizer, prompts_of(work.parents))
        config = publish.adapter_config(work.job, work.shape, canary)
        return publish.publish(output, work.job, publish.Artifact(MediaType.ADAPTER, directory, config), statistics)


def shape_of(settings: Merge, parents: list[Adapter]) -> Shape:
    """Of the result: alpha equals rank, because every scale is in the weights."""
    ranks = [p.shape.rank for p in parents]
    rank = rank_of(settings.combine, ranks, settings.rank)
    if rank > LARGEST_RANK:
        raise bad_input(
            f"{settings.combine} of ranks {', '.join(map(str, ranks))} has rank {rank}, servers take at most {LARGEST_RANK}; set merge.rank, or merge fewer adapters"
        )
    if settings.combine == "Mean" and settings.search and settings.search.method == "Grid":
        raise bad_input(
            "a mean is the same for every common weight, so merge.search.method Grid finds nothing; use CMAES, or combine: Cat"
        )
    if settings.combine == "Mean" and settings.weights and not sum(settings.weights):
        raise bad_input("merge.weights are all 0, which has no mean; give at least one adapter a weight")
    return Shape(rank, rank, tuple(sorted(set().union(*(p.shape.target_modules for p in parents)))))


def require_knowledge(parents: list[Adapter]) -> None:
    """A merge with a control would hide that a part of it has no knowledge."""
    if control := next((p.name for p in parents if p.config.get("control")), None):
        raise data_error(
            "ControlAdapter",
            f"adapter {control} is a control, which knows nothing; merge adapters that learnt something",
        )


def norm_of(like: Adapter) -> float:
    """‖ΔW‖ of all its layers together."""
    norm = merging.norm(like.pairs())
    if not norm:
        raise data_error(
            "NothingToImitate",
            f"adapter {like.name} changes nothing, so it has no strength to give; name another one in merge.normOf",
        )
    return norm


def require_layers(parents: list[Adapter], shapes: dict[str, tuple[int, int]]) -> None:
    """Every change must be of a layer of the base, in its shape."""
    for parent in parents:
        for path, pair in parent.pairs().items():
            found = (pair.a.shape[1], pair.b.shape[0])
            if shapes.get(path) != found:
                raise data_error(
                    "ShapeMismatch",
                    f"adapter {parent.name} changes {path} of {found[0]} inputs and {found[1]} outputs; the base has {shapes.get(path) or 'no such layer'}",
                )


def precision_of(parents: list[Adapter]) -> Precision:
    """The widest of theirs."""
    return "BFloat16" if all(p.precision == "BFloat16" for p in parents) else "Float32"


def on(parent: Adapter, device: torch.device) -> Pairs:
    return {path: Pair(pair.a.to(device), pair.b.to(device)) for path, pair in parent.pairs().items()}


def prompts_of(parents: list[Adapter]) -> list[str]:
    return list(dict.fromkeys(p.config["canary"]["prompt"] for p in parents if p.config.get("canary")))


def searched(work: Work, parts: list[Pairs], examples: list[Example]) -> Found:
    settings, grouping = work.settings.search, Grouping.of(work.model)
    assert settings

    def evaluate(weights: tuple[float, ...]) -> float:
        recipe = work.recipe(weights)
        put_weights(
            work.model,
            work.tensors({path: merging.layer(path, parts, recipe, work.dtype)[0] for path in merging.paths_of(parts)}),
        )
        return weight_search.mean_loss(work.model, examples, grouping)

    found = weight_search.search(len(parts), settings, work.settings.seed, evaluate, work.run("search"))
    print(
        f"of {found.tried} sets of weights {', '.join(f'{w:g}' for w in found.weights)} has the smallest loss, {found.loss:.4f} on {len(examples)} programs",
        flush=True,
    )
    return found


def validation_examples(job: Job, parents: list[Adapter], tokenizer: Any) -> list[Example]:
    """Programs that passed on Validation tasks of the parents' trajectories."""
    found, missing = list[Item](), 0
    for digest, repository in trajectories_of(job, parents).items():
        try:
            found += trajectory.pull(Repository(job.registry.url, job.registry.token_file, repository), digest)
        except Ending as ending:
            if ending.reason != "ArtifactMissing":
                raise
            missing += 1
    rows = distinct([row for item in found for row in asked_rows(validation_of(item), ("Programs",))])
    examples, _ = examples_of(tokenizer, rows, LONGEST)
    if not examples:
        raise data_error(
            "NoValidationTasks",
            f"none of the {len(found)} trajectories that the adapters learnt from{f' ({missing} more are gone)' if missing else ''} has a program that passed on a task of the "
            "Validation part, so there is nothing to search weights by; learn from sessions on Validation tasks too, or set merge.weights",
        )
    return examples


def trajectories_of(job: Job, parents: list[Adapter]) -> dict[str, str]:
    """Digest → repository: each adapter's trajectories are beside its own repository."""
    named = zip(parents, parents_of(job), strict=True)
    return {
        digest: f"{reference.repository.rpartition('/')[0]}/trajectories"
        for parent, reference in named
        for digest in sorted(parent.learnt.trajectories)
    }


def validation_of(item: Item) -> Item:
    """The item with its Validation tasks alone."""
    if item.examples is not None:
        return Item(item.trajectory, tuple(e for e in item.examples if part_of(e["task"]) == "Validation"))
    return item if part_of(item.trajectory["task"]) == "Validation" else Item(item.trajectory, ())

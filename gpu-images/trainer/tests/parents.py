"""Adapters in the tests' registry, published as by runs, and job documents that start from them."""

import pathlib
import tempfile
from typing import Any

import tiny
import torch

from rune_trainer import adapter_io, publish, training_data
from rune_trainer.adapters import tensors_of
from rune_trainer.canonical import canonical
from rune_trainer.contract import ADAPTER_CONFIG, Base, MediaType
from rune_trainer.delta import Pair
from rune_trainer.job import parse_job
from rune_trainer.model import linear_shapes
from rune_trainer.registry import Repository
from rune_trainer.settings import Shape

REPOSITORY = "rune/demo/adapters"
SMALL, LARGE = Shape(2, 4, ("q_proj",)), Shape(4, 4, ("down_proj", "q_proj"))
CANARY = {
    "prompt": "<|im_start|>user\nWrite.<|im_end|>\n<|im_start|>assistant\n",
    "maxTokens": 4,
    "adapterText": "a",
    "baseText": "b",
}
NO_TRAINING_DATA = training_data.TrainingData()


class Family:
    """A registry with the adapters `a` and `b` of a staged base, and the trajectories that they were trained on."""

    def __init__(self, directory: pathlib.Path):
        self.directory, self.registry = directory, tiny.Registry()
        self.base = staged(directory)
        self.digests = [
            self.registry.add_trajectory(tiny.trajectory(name, [f"return {name[-1]}"]))
            for name in ("HumanEval/0", "HumanEval/1", "HumanEval/2")
        ]
        tasks = [{"id": f"HumanEval/{n}", "description": str(n), "tests": ""} for n in range(3)]
        known = [
            training_data.of_tasks(self.digests[:2], tasks[:2]),
            training_data.of_tasks(self.digests[1:], tasks[1:]),
        ]
        shapes = (SMALL, LARGE)
        self.tensors = [random_tensors(shape, seed, size=0.2) for seed, shape in enumerate(shapes)]
        self.adapters = [
            published(self.registry, self.base, name, shape, tensors, learn, canary=CANARY)
            for name, shape, tensors, learn in zip("ab", shapes, self.tensors, known, strict=True)
        ]

    def document(self, **section: Any) -> dict[str, Any]:
        """A job that merges both."""
        return document(
            self.directory, self.registry, self.base, "merge", {"adapters": ["a", "b"], **section}, self.adapters
        )


def random_tensors(
    shape: Shape, seed: int, dtype: torch.dtype = torch.float32, size: float = 0.1
) -> adapter_io.Tensors:
    generator = torch.Generator().manual_seed(seed)
    shapes = linear_shapes(tiny.model(), shape.target_modules)
    drawn = {
        path: Pair(
            size * torch.randn(shape.rank, i, generator=generator),
            size * torch.randn(o, shape.rank, generator=generator),
        )
        for path, (i, o) in shapes.items()
    }
    return tensors_of(drawn, dtype)


def published(
    registry: tiny.Registry,
    base: Base,
    name: str,
    shape: Shape,
    tensors: adapter_io.Tensors,
    known: training_data.TrainingData = NO_TRAINING_DATA,
    **peft: Any,
) -> dict[str, str]:
    """The adapter as `adapters` of a job document names it;
    `peft` changes its adapter_config.json, `canary` its config.
    """
    repository = Repository(registry.url, "/nowhere", REPOSITORY)
    job = parse_job(tiny.document(base={"path": base.path, "name": base.name, "digest": base.digest}))
    canary = peft.pop("canary", None)
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch)
        adapter_io.write(directory, base, shape, tensors, linear_shapes(tiny.model(), shape.target_modules))
        (directory / ADAPTER_CONFIG).write_bytes(canonical({**adapter_io.config_of(base, shape), **peft}))
        known.write(directory)
        artifact = publish.Artifact(MediaType.ADAPTER, directory, publish.adapter_config(job, shape, canary))
        stored, _ = publish.push(repository, artifact, {}, None)
    return {"repository": REPOSITORY, "digest": stored.digest, "name": name}


def document(
    directory: pathlib.Path,
    registry: tiny.Registry,
    base: Base,
    method: str,
    section: dict[str, Any],
    adapters: list[dict[str, str]],
    **changed: Any,
) -> dict[str, Any]:
    parents = [{"name": a["name"], "digest": a["digest"]} for a in adapters]
    made = tiny.document(
        method=method,
        adapters=adapters,
        base={"path": base.path, "name": base.name, "digest": base.digest},
        output={"repository": REPOSITORY, "scope": {"project": "tessera"}, "generation": 1, "parents": parents},
        checkpoint={"directory": str(directory / "checkpoints"), "everySteps": 3},
        registry={"url": registry.url, "tokenFile": str(directory / "token")},
    )
    for name in ("sft", "corpus"):
        del made[name]
    return {**made, method: section, **changed}


def staged(directory: pathlib.Path) -> Base:
    (directory / "base").mkdir()
    return Base(path=str(directory / "base"), name="tiny", digest=tiny.model_directory(directory / "base"))


def config_at(registry: tiny.Registry, digest: str) -> dict[str, Any]:
    return layers_at(registry, digest)[0]


def layers_at(registry: tiny.Registry, digest: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """(config, title → content) of a published artifact"""
    import json

    manifest = json.loads(registry.manifests[digest])
    layers = {
        layer["annotations"]["org.opencontainers.image.title"]: registry.blobs[layer["digest"]]
        for layer in manifest["layers"]
    }
    return json.loads(registry.blobs[manifest["config"]["digest"]]), layers

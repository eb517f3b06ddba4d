"""A run's input adapters: pulled by digest, checked, and read as changes of weights."""

import json
import pathlib
import tempfile
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError

from rune_trainer import adapter_io, training_data
from rune_trainer.adapter_io import PREFIX, Tensors
from rune_trainer.contract import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    TITLE_ANNOTATION,
    Base,
    Job,
    MediaType,
    NamedReference,
)
from rune_trainer.delta import Pair, Pairs
from rune_trainer.errors import Ending, data_error
from rune_trainer.registry import Repository
from rune_trainer.settings import Precision, Shape


@dataclass(frozen=True)
class Adapter:
    name: str
    digest: str
    shape: Shape
    config: dict[str, Any]
    """`adapterConfig` in crds/contracts/artifact.ts."""
    tensors: Tensors
    learnt: training_data.TrainingData

    @property
    def precision(self) -> Precision:
        return "BFloat16" if all(t.dtype == torch.bfloat16 for t in self.tensors.values()) else "Float32"

    def pairs(self) -> Pairs:
        return pairs_of(self.tensors, self.shape.scale)


def load(job: Job, reference: NamedReference) -> Adapter:
    """Ends the run permanently if the artifact is missing, no adapter, or of another base."""
    repository = Repository(job.registry.url, job.registry.token_file, reference.repository)
    what = f"adapter {reference.name} ({reference.repository}@{reference.digest})"
    try:
        manifest = repository.need_manifest(reference.digest)
    except Ending as ending:
        if ending.reason != "ArtifactMissing":
            raise
        raise data_error("ArtifactMissing", f"{what} is not in the registry; was its artifact deleted?") from ending
    if manifest.get("artifactType") != MediaType.ADAPTER:
        raise data_error(
            "NotAnAdapter",
            f"{what} is of type {manifest.get('artifactType')}, expected {MediaType.ADAPTER}; name an Adapter",
        )
    try:
        config = json.loads(repository.pull_blob(manifest["config"]["digest"]))
        require_base(what, config["base"], job.base)
        shape = Shape(config["rank"], config["alpha"], tuple(sorted(config["targetModules"])))
        files = {layer["annotations"][TITLE_ANNOTATION]: layer["digest"] for layer in manifest["layers"]}
        require_plain(what, json.loads(repository.pull_blob(files[ADAPTER_CONFIG])), shape)
        tensors = pull_tensors(repository, files[ADAPTER_WEIGHTS])
    except (ValueError, LookupError, TypeError, AttributeError, SafetensorError) as error:
        raise data_error(
            "NotAnAdapter",
            f"{what} is not shaped like an adapter of Rune's ({type(error).__name__}: {error}); publish it again",
        ) from error
    require_sound(what, tensors, shape)
    return Adapter(
        reference.name,
        reference.digest,
        shape,
        config,
        tensors,
        training_data.of_artifact(repository, reference.digest),
    )


def pull_tensors(repository: Repository, digest: str) -> Tensors:
    with tempfile.TemporaryDirectory(prefix="parent.") as scratch:
        repository.pull_file(digest, pathlib.Path(scratch) / ADAPTER_WEIGHTS)
        return {name: t.clone() for name, t in adapter_io.read(pathlib.Path(scratch)).items()}


def require_base(what: str, made_for: dict[str, Any], base: Base) -> None:
    if made_for["digest"] != base.digest:
        raise data_error(
            "BaseMismatch",
            f"{what} was made for base {made_for['name']} ({made_for['digest']}), the run is of base {base.name} ({base.digest}); changes of different bases don't fit together: name adapters of one base",
        )


def require_plain(what: str, peft: dict[str, Any], shape: Shape) -> None:
    """ΔW must be alpha / rank · BA in every layer."""
    if odd := [
        name
        for name in ("use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "modules_to_save")
        if peft.get(name)
    ]:
        raise data_error(
            "NotAnAdapter",
            f"{ADAPTER_CONFIG} of {what} sets {', '.join(odd)}; only plain LoRA adapters of one rank and alpha can be worked on",
        )
    if (peft["r"], peft["lora_alpha"]) != (shape.rank, shape.alpha):
        raise data_error(
            "NotAnAdapter",
            f"{ADAPTER_CONFIG} of {what} says rank {peft['r']} and alpha {peft['lora_alpha']}, its artifact rank {shape.rank} and alpha {shape.alpha}",
        )


def require_sound(what: str, tensors: Tensors, shape: Shape) -> None:
    for name, tensor in tensors.items():
        half, _, end = name.rpartition(".lora_")
        other = {"A.weight": "B.weight", "B.weight": "A.weight"}.get(end)
        if tensor.dim() != 2 or not half.startswith(PREFIX) or f"{half}.lora_{other}" not in tensors:
            raise data_error("NotAnAdapter", f"{name} of {what} is no half of a LoRA pair")
        if (rank := tensor.shape[0 if end == "A.weight" else 1]) != shape.rank:
            raise data_error("NotAnAdapter", f"{name} of {what} has rank {rank}, its config says {shape.rank}")
        if not torch.isfinite(tensor).all():
            raise data_error(
                "NotFinite", f"{name} of {what} holds NaN or infinity; nothing made from it could be served"
            )


def pairs_of(tensors: Tensors, scale: float) -> Pairs:
    halves = {
        name.removeprefix(PREFIX).removesuffix(".lora_A.weight"): name
        for name in tensors
        if name.endswith(".lora_A.weight")
    }
    return {
        path: Pair(tensors[a].float(), tensors[a.replace(".lora_A.", ".lora_B.")].float() * scale)
        for path, a in sorted(halves.items())
    }


def tensors_of(pairs: Pairs, dtype: torch.dtype) -> Tensors:
    """As in the files; the scale stays in B, so that alpha must equal the rank."""
    tensors = {}
    for path, pair in pairs.items():
        tensors[f"{PREFIX}{path}.lora_A.weight"] = pair.a.to("cpu", dtype).contiguous()
        tensors[f"{PREFIX}{path}.lora_B.weight"] = pair.b.to("cpu", dtype).contiguous()
    return dict(sorted(tensors.items()))

"""One adapter directory → one OCI artifact, and back: what an earlier attempt of the same run has already published."""

import json
import pathlib
from typing import Any

from rune_trainer.adapter_io import CONFIG, WEIGHTS
from rune_trainer.canonical import canonical
from rune_trainer.registry import Repository
from rune_trainer.spec import Job

TYPE = "application/vnd.rune.adapter.v1+json"
FILE = "application/vnd.rune.adapter.file.v1"
STATISTICS = "dev.rune.training."
"""Prefix of the manifest's annotations that say how training went; without times, so that equal runs give equal digests."""


def tag_of(job: Job) -> str:
    return f"run-{job.owner.uid}"


def config_of(job: Job, files: dict[str, dict[str, Any]], canary: dict[str, Any] | None) -> dict[str, Any]:
    """The artifact's config blob: `adapterConfig` in crds/src/artifact.ts."""
    assert job.sft
    return {
        "schema": "rune.dev/adapter/v1",
        "base": {"name": job.base.name, "digest": job.base.digest},
        "rank": job.sft.rank,
        "alpha": job.sft.alpha,
        "targetModules": list(job.sft.target_modules),
        "scope": job.output.scope,
        "source": {"kind": job.owner.kind, "name": job.owner.name, "uid": job.owner.uid},
        "parents": list(job.output.parents),
        "generation": job.output.generation,
        **({"canary": canary} if canary else {}),
        "files": files,
    }


def publish(repository: Repository, job: Job, directory: pathlib.Path, canary: dict[str, Any] | None, statistics: dict[str, Any]) -> dict[str, Any]:
    """Pushes the adapter and returns where it is."""
    layers = [repository.push_blob(FILE, (directory / name).read_bytes(), name) for name in (CONFIG, WEIGHTS)]
    files = {layer.title: {"sha256": layer.digest.removeprefix("sha256:"), "sizeBytes": layer.size} for layer in layers}
    config = repository.push_blob(TYPE, canonical(config_of(job, files, canary)))
    annotations = {STATISTICS + name: str(value) for name, value in statistics.items()}
    digest = repository.push_manifest(TYPE, config, layers, annotations, tag_of(job))
    return {"repository": repository.name, "digest": digest, "sizeBytes": sum(layer.size for layer in layers)}


def adopt(repository: Repository, job: Job) -> dict[str, Any] | None:
    """What this very run has published before its message was lost, or None. The tag is a hint; digest, config and owner decide,
    and what isn't shaped like an adapter of ours is none."""
    try:
        found = repository.pull_manifest(tag_of(job))
        return result_of(repository, job, *found) if found else None
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def result_of(repository: Repository, job: Job, digest: str, manifest: dict[str, Any]) -> dict[str, Any] | None:
    if manifest.get("artifactType") != TYPE:
        return None
    config = json.loads(repository.pull_blob(manifest["config"]["digest"]))
    assert job.sft
    ours = config["source"].get("uid") == job.owner.uid and config["base"]["digest"] == job.base.digest and config["rank"] == job.sft.rank
    if not ours:
        return None
    annotations = manifest.get("annotations", {})
    statistics = {name: json.loads(annotations[STATISTICS + name]) for name in ("examples", "steps", "trainingLoss", "deltaWNorm") if STATISTICS + name in annotations}
    return {"repository": repository.name, "digest": digest, "sizeBytes": sum(layer["size"] for layer in manifest["layers"]), **statistics}

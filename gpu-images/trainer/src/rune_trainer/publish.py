"""A run's output → one OCI artifact, and back: what an earlier attempt of the same run has already published.

An artifact is a directory of files with a config blob that lists them. No times anywhere, so equal runs give equal digests.
"""

import json
import pathlib
from dataclasses import dataclass, field
from typing import Any

from rune_trainer.canonical import canonical, file_sha256
from rune_trainer.contract import TRAINING_ANNOTATION, Exit, Job, MediaType, Schema
from rune_trainer.errors import Ending
from rune_trainer.parsing import written
from rune_trainer.registry import Descriptor, Repository
from rune_trainer.settings import Shape

FILES = {MediaType.ADAPTER: MediaType.ADAPTER_FILE, MediaType.HYPERNETWORK: MediaType.HYPERNETWORK_FILE}
"""Type of an artifact → type of its layers."""
RECORDED = ("examples", "steps", "trainingLoss", "deltaWNorm", "adapters", "collapsed", "metrics", "weights")
"""Statistics that an attempt after a lost message needs again."""
NOTHING_DONE = {"examples": 0, "steps": 0, "trainingLoss": 0, "deltaWNorm": 0, "durationSeconds": 0}


@dataclass(frozen=True)
class Artifact:
    """A directory of files to be published as an artifact."""

    type: str
    directory: pathlib.Path
    config: dict[str, Any]
    """Its config blob without `files`."""
    training: dict[str, Any] = field(default_factory=dict)
    """Statistics of this artifact alone, annotated beside the run's."""


def tag_of(job: Job) -> str:
    return f"run-{job.owner.uid}"


def source_of(job: Job) -> dict[str, str]:
    return {"kind": job.owner.kind, "name": job.owner.name, "uid": job.owner.uid}


def adapter_config(job: Job, shape: Shape, canary: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """`adapterConfig` in crds/contracts/artifact.ts;
    `more` contains scope, control and session if the job's output doesn't.
    """
    return {
        "schema": Schema.ADAPTER,
        "base": {"name": job.base.name, "digest": job.base.digest},
        **shape.fields(),
        "scope": written(job.output.scope) if job.output.scope else {},
        "source": source_of(job),
        "parents": written(job.output.parents),
        "generation": job.output.generation,
        **({"canary": canary} if canary else {}),
        **more,
    }


def push(
    repository: Repository, artifact: Artifact, annotations: dict[str, str], tag: str | None
) -> tuple[Descriptor, int]:
    """(the manifest, size of all layers in bytes)"""
    paths = sorted(path for path in artifact.directory.iterdir() if path.is_file())
    layers = [repository.push_file(FILES[artifact.type], path, path.name) for path in paths]
    files = {path.name: {"sha256": file_sha256(path), "sizeBytes": path.stat().st_size} for path in paths}
    config = repository.push_blob(artifact.type, canonical({**artifact.config, "files": files}))
    return repository.push_manifest(artifact.type, config, layers, annotations, tag), sum(
        layer.size for layer in layers
    )


def publish(repository: Repository, job: Job, artifact: Artifact, statistics: dict[str, Any]) -> dict[str, Any]:
    """Pushes an adapter or a hypernetwork and returns its reference."""
    stored, size = push(repository, artifact, annotations_of({**statistics, **artifact.training}), tag_of(job))
    return {"repository": repository.name, "digest": stored.digest, "sizeBytes": size}


def push_member(repository: Repository, artifact: Artifact) -> tuple[Descriptor, int]:
    """Pushes an adapter of an index that is to come, under its digest alone; (its manifest, size of its layers)"""
    return push(repository, artifact, annotations_of(artifact.training), None)


def publish_index(
    repository: Repository, job: Job, pushed: list[tuple[Descriptor, int]], statistics: dict[str, Any]
) -> dict[str, Any]:
    """Pushes an index of adapters that were pushed, in their order."""
    size = sum(size for _, size in pushed)
    counted = {**statistics, "adapters": len(pushed)}
    annotations = {**annotations_of(counted), f"{TRAINING_ANNOTATION}sizeBytes": str(size)}
    stored = repository.push_index(MediaType.ADAPTERS, [manifest for manifest, _ in pushed], annotations, tag_of(job))
    return {"repository": repository.name, "digest": stored.digest, "sizeBytes": size, "adapters": len(pushed)}


def annotations_of(statistics: dict[str, Any]) -> dict[str, str]:
    return {
        TRAINING_ANNOTATION + name: canonical(value).decode() for name, value in statistics.items() if value is not None
    }


def adopt(repository: Repository, job: Job, type_: str, expected: dict[str, Any]) -> dict[str, Any] | None:
    """What this very run published before its message was lost, or None. The tag is a hint; digest, config and owner
    decide, and an artifact of another form, or without the `expected` fields in its config, doesn't count."""
    try:
        found = repository.pull_manifest(tag_of(job))
        adopted = result_of(repository, job, *found, type_, expected) if found else None
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    except Ending as ending:
        if ending.code != Exit.DATA_ERROR:
            raise
        return None
    if adopted:
        print(f"an earlier attempt has already published {adopted['digest']}; nothing is done again", flush=True)
    return adopted


def result_of(
    repository: Repository, job: Job, digest: str, manifest: dict[str, Any], type_: str, expected: dict[str, Any]
) -> dict[str, Any] | None:
    if manifest.get("artifactType") != type_:
        return None
    inner = repository.need_manifest(manifest["manifests"][0]["digest"]) if type_ == MediaType.ADAPTERS else manifest
    config = json.loads(repository.pull_blob(inner["config"]["digest"]))
    ours = {"source": source_of(job), "base": {"name": job.base.name, "digest": job.base.digest}, **expected}
    if any(config[name] != value for name, value in ours.items()):
        return None
    annotations = manifest.get("annotations", {})
    recorded = {
        name: json.loads(annotations[TRAINING_ANNOTATION + name])
        for name in RECORDED
        if TRAINING_ANNOTATION + name in annotations
    }
    if type_ == MediaType.ADAPTERS:
        size, shape = json.loads(annotations[f"{TRAINING_ANNOTATION}sizeBytes"]), dict[str, Any]()
    else:
        size = sum(layer["size"] for layer in manifest["layers"])
        shape = (
            {name: config[name] for name in ("rank", "alpha", "targetModules")} if type_ == MediaType.ADAPTER else {}
        )
    return {**NOTHING_DONE, "repository": repository.name, "digest": digest, "sizeBytes": size, **shape, **recorded}

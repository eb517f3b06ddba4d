"""Checkpoints that are complete or absent, and from which a run continues as if it had not been interrupted.

A checkpoint is a directory `step-<n>` with one safetensors file (never a pickle) and a manifest that holds the
file's SHA-256 and what the run is: settings, corpus and base. It is written under another name, flushed to the disk
and renamed, so a crash at any moment leaves the previous one. One whose bytes or run don't match is skipped.
"""

import errno
import json
import os
import pathlib
import shutil
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from rune_trainer.canonical import canonical, file_sha256
from rune_trainer.errors import Ending, misconfigured
from rune_trainer.training_curve import Look

TENSORS, MANIFEST = "state.safetensors", "manifest.json"
KEPT = 2
PASSING = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EBUSY, errno.EINTR)
"""Errors of a volume that may be gone at the next attempt, such as those of a server of files that restarts."""


@dataclass(frozen=True)
class State:
    """Everything that training needs to continue after `step` steps; batches follow from seed and step alone."""

    step: int
    tensors: dict[str, torch.Tensor]
    losses: list[float]
    looks: list[Look] = field(default_factory=list)
    """Measurements after earlier steps; the one after this step may be among them."""


def flush(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save(directory: pathlib.Path, run: dict[str, Any], state: State) -> pathlib.Path:
    """Writes `directory/step-<n>` and removes all but it and the newest one before it, drafts included:
    a volume has room for a few states, not for those of every crash. One of a later step is damaged or of other
    settings, otherwise this run would have continued from it.
    """
    final = directory / f"step-{state.step:09d}"
    draft = directory / f".{final.name}.{os.getpid()}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for left in directory.glob(".step-*"):  # by a pod that was killed while it wrote
            shutil.rmtree(left, ignore_errors=True)
        draft.mkdir()
        save_file({name: t.detach().cpu().contiguous() for name, t in sorted(state.tensors.items())}, draft / TENSORS)
        manifest = {
            "run": run,
            "step": state.step,
            "losses": state.losses,
            "looks": [look.fields() for look in state.looks],
            "sha256": file_sha256(draft / TENSORS),
        }
        (draft / MANIFEST).write_bytes(canonical(manifest))
        for path in (draft / TENSORS, draft / MANIFEST, draft):
            flush(path)
        shutil.rmtree(final, ignore_errors=True)
        draft.rename(final)
        flush(directory)
    except (OSError, SafetensorError) as error:
        raise not_written(directory, error) from error
    paths = newest_first(directory)
    following = paths.index(final)
    for old in (*paths[:following], *paths[following + KEPT :]):
        shutil.rmtree(old, ignore_errors=True)
    return final


def not_written(directory: pathlib.Path, error: OSError | SafetensorError) -> Ending:
    """`SafetensorError` names the system's error in its text alone."""
    failed = f"no checkpoint could be written to {directory}: {error}"
    if passing(error):
        return Ending(1, "CheckpointFailed", f"{failed}; the next attempt goes on from the last checkpoint")
    return misconfigured("CheckpointFailed", f"{failed}; check the size and the permissions of the volume")


def passing(error: OSError | SafetensorError) -> bool:
    if isinstance(error, OSError):
        return error.errno in PASSING
    return any(f"(os error {number})" in str(error) for number in PASSING)


def newest_first(directory: pathlib.Path) -> list[pathlib.Path]:
    return sorted(directory.glob("step-*"), reverse=True)


def newest(directory: pathlib.Path, run: dict[str, Any]) -> State | None:
    """The newest complete checkpoint of this very run, or None."""
    found = (read(path, run) for path in newest_first(directory))
    return next((state for state in found if state), None)


def read(path: pathlib.Path, run: dict[str, Any]) -> State | None:
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        if manifest["run"] != run or manifest["sha256"] != file_sha256(path / TENSORS):
            return None
        looks = [Look(**look) for look in manifest.get("looks", [])]  # those of earlier versions have none
        return State(manifest["step"], load_file(path / TENSORS), manifest["losses"], looks)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, OSError) and error.errno in PASSING:  # the next checkpoint would replace a sound one
            raise Ending(
                1, "CheckpointFailed", f"the checkpoint {path} could not be read: {error}; the next attempt tries again"
            ) from error
        return None

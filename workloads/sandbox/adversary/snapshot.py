"""The state outside that no program may change: bait, canaries, the runner's own files, directories that everybody may write."""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from adversary.canaries import Canaries
from adversary.pod import Pod

_SHARED = ("/", "/tmp", "/var/tmp", "/dev/mqueue", "/run", "/etc", "/usr")
State = dict[str, tuple[Any, ...] | list[Any]]


def taken(pod: Pod, canaries: Canaries) -> State:
    """Mode, owner, links, time, content and attributes by path; and the names of what the user has left in shared directories."""
    trees = [pod.bait.directory, pod.library, canaries.directory, pod.app, pod.token_file]
    state: State = {str(path): _of(str(path)) for tree in trees for path in _below(tree)}
    state["the output volume"] = _of(pod.inside(pod.out))
    for directory in (*_SHARED, str(pod.home)):
        with suppress(OSError):
            state[f"names in {directory}"] = sorted(
                entry.name
                for entry in os.scandir(pod.inside(directory))
                if entry.stat(follow_symlinks=False).st_uid == pod.uid
            )
    with suppress(OSError):
        state["names in the pod's /dev/shm"] = sorted(os.listdir(pod.inside("/dev/shm")))
    return state


def differences(before: State, after: State) -> list[str]:
    return [
        f"{path}: {_difference(before.get(path), after.get(path))}"
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    ]


def _below(tree: Path) -> list[Path]:
    return [tree, *tree.rglob("*")] if tree.is_dir() else [tree]


def _of(path: str) -> tuple[Any, ...]:
    try:
        seen = os.lstat(path)
    except OSError:
        return ()
    regular = stat.S_ISREG(seen.st_mode)
    attributes: list[tuple[str, bytes]] = []
    with suppress(OSError):
        attributes = [
            (name, os.getxattr(path, name, follow_symlinks=False))
            for name in sorted(os.listxattr(path, follow_symlinks=False))
        ]
    content = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16] if regular else ""
    return (
        oct(seen.st_mode),
        seen.st_uid,
        seen.st_gid,
        (seen.st_nlink, seen.st_mtime_ns) if regular else (),
        content,
        attributes,
    )


def _difference(before: Any, after: Any) -> str:
    if isinstance(before, list) and isinstance(after, list):
        return f"new {sorted(set(after) - set(before))}, gone {sorted(set(before) - set(after))}"
    if not before or not after:
        return "gone" if before else "new"
    return ", ".join(f"{was} became {now}" for was, now in zip(before, after, strict=True) if was != now)

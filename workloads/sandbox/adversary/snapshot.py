"""The state outside that no program may change: bait, canaries, the runner's own files, world-writable directories."""

import os
from contextlib import suppress
from typing import Any

from adversary.attributes import State, below, of
from adversary.canaries import Canaries
from adversary.pod import Pod

_SHARED = ("/", "/tmp", "/var/tmp", "/dev/mqueue", "/run", "/etc", "/usr")


def taken(pod: Pod, canaries: Canaries) -> State:
    """Mode, owner, links, time, content and attributes by path;
    and the names of the user's files in shared directories.
    """
    trees = [pod.bait.directory, pod.library, canaries.directory, pod.app, pod.token_file]
    state: State = {str(path): of(str(path)) for tree in trees for path in below(tree)}
    state["the output volume"] = of(pod.inside(pod.out))
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


def _difference(before: Any, after: Any) -> str:
    if isinstance(before, list) and isinstance(after, list):
        return f"new {sorted(set(after) - set(before))}, gone {sorted(set(before) - set(after))}"
    if not before or not after:
        return "gone" if before else "new"
    return ", ".join(f"{was} became {now}" for was, now in zip(before, after, strict=True) if was != now)

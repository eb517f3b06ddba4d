"""The one place where executions happen: what they share, and what holds again when one is over."""

import math
import os
import resource
from contextlib import contextmanager
from pathlib import Path

from rune_sandbox import landlock, scratch
from rune_sandbox.config import Config
from rune_sandbox.lock import Lock
from rune_sandbox.nursery import Nursery
from rune_sandbox.processes import end_strangers
from rune_sandbox.usage import Charged

_OPEN_FILES = 256
_TASKS_OF_THE_RUNNER = 32  # its threads, the nursery, process 1
_FEWEST_TASKS = 8
_SHARED_SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")


class Place:
    """Whoever uses it is alone in it: the server sees to that."""

    def __init__(self, config: Config):
        self.config = config
        self.volume = scratch.Volume(config.output)
        self.charged = Charged()
        self.landlock = landlock.abi()
        self.nursery = Nursery()
        self.processes = min(config.processes, max(_FEWEST_TASKS, _most_tasks() - _TASKS_OF_THE_RUNNER))

    def lock_for(self, directory: str, memory_bytes: int, seconds: float) -> Lock:
        return Lock(
            directory=directory,
            library=self.config.library,
            memory_bytes=memory_bytes,
            cpu_seconds=math.ceil(seconds) + 1,
            file_bytes=self.config.file_bytes,
            processes=self.processes,
            open_files=_OPEN_FILES,
            landlock=self.landlock > 0 or not self.config.without_landlock,
        )

    @contextmanager
    def alone(self):
        """Whatever was started in here has ended when it is left. Raises Unending, after which nothing may be run."""
        try:
            yield
        finally:
            end_strangers({self.nursery.pid})
            if not self.landlock:
                _clear_shared_scratch()


def _most_tasks() -> int:
    """What the kernel allows this user, and this pod where it tells."""
    limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    most = [limit] if limit != resource.RLIM_INFINITY else []
    for path in ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"):
        try:
            value = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        most += [int(value)] if value.isdigit() else []
    return min(most, default=1 << 20)


def _clear_shared_scratch() -> None:
    """Without Landlock programs can write here: nothing of one may wait for the next."""
    for parent in _SHARED_SCRATCH:
        try:
            descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            scratch.clear(descriptor)
        finally:
            os.close(descriptor)

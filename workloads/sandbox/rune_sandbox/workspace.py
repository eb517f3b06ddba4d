"""What all executions share (volumes, limits, the nursery), and what is restored after each."""

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
_SHARED_MEMORY = "/dev/shm"
_SHARED_SCRATCH = ("/tmp", "/var/tmp", _SHARED_MEMORY)


class Workspace:
    """Used by one execution at a time: the server guarantees that."""

    def __init__(self, config: Config):
        self.config = config
        # glibc's fixed directory for named semaphores and shared memory, which multiprocessing uses. A container has a
        # separate one.
        self.shared = scratch.Volume(_SHARED_MEMORY) if config.contained and scratch.is_tmpfs(_SHARED_MEMORY) else None
        self.volume = scratch.Volume(config.output)
        self.charged = Charged()
        self.landlock = landlock.abi()
        self._cleared = [self.volume, *([self.shared] if self.shared else []), *self._writable_without_landlock()]
        self.nursery = Nursery()
        self.processes = min(config.processes, max(_FEWEST_TASKS, _most_tasks() - _TASKS_OF_THE_RUNNER))

    def lock_for(self, directory: str, memory_bytes: int, seconds: float, is_candidate: bool = False) -> Lock:
        return Lock(
            directory=directory,
            shared=[self.shared.path] if self.shared and is_candidate else [],
            library=self.config.library,
            memory_bytes=memory_bytes,
            cpu_seconds=math.ceil(seconds) + 1,
            file_bytes=self.config.file_bytes,
            processes=self.processes,
            open_files=_OPEN_FILES,
            landlock=self.landlock > 0 or not self.config.without_landlock,
        )

    def _writable_without_landlock(self) -> list[scratch.Volume]:
        if self.landlock or not self.config.contained:
            return []
        return [scratch.Volume(path) for path in _SHARED_SCRATCH if os.path.isdir(path)]

    @contextmanager
    def alone(self):
        """On exit every process started inside has ended, and nothing of it is left for the next where programs can
        write. Raises Unending, after which nothing may be run."""
        try:
            yield
        finally:
            end_strangers({self.nursery.pid})
            for volume in self._cleared:
                volume.clear()


def _most_tasks() -> int:
    """The limit of the kernel for this user, and of this pod if it can be read."""
    limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    most = [limit] if limit != resource.RLIM_INFINITY else []
    for path in ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"):
        try:
            value = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        most += [int(value)] if value.isdigit() else []
    return min(most, default=1 << 20)

"""Locks the process that calls it: rlimits, no new privileges, not dumpable, Landlock, seccomp. It can't be undone."""

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass

from rune_sandbox import landlock, seccomp

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_SET_CHILD_SUBREAPER = 1, 4, 38, 36
_SYSTEM_READABLE = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types"]
_DEVICES = [
    "/dev/null",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
]  # not /dev/zero: mapped, it is memory that isn't counted
_PENDING_SIGNALS = 1024  # timers count too
# What a runtime in Landlock's place may refuse to limit, as gVisor does: message queues, for which no allowed call is, and
# pending signals, which are then the runtime's own memory and so the pod's.
_OF_LINUX = frozenset({"RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE"})


@dataclass(frozen=True)
class Lock:
    """The permissions and limits of one execution."""

    directory: str  # where it can write
    shared: list[str]  # and where its semaphores and shared memory may be; none where that can't be cleared afterwards
    library: str  # read-only modules
    memory_bytes: int
    cpu_seconds: int
    file_bytes: int
    processes: int
    open_files: int
    landlock: bool  # False only where the pod's runtime class is the named substitute


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} was refused")


def limits(lock: Lock) -> dict[str, int]:
    """Hard limits by the resource module's names."""
    return {
        "RLIMIT_AS": lock.memory_bytes,
        "RLIMIT_CPU": lock.cpu_seconds + 1,  # the soft limit, a second earlier, ends it with SIGXCPU
        "RLIMIT_FSIZE": lock.file_bytes,
        "RLIMIT_NPROC": lock.processes,
        "RLIMIT_NOFILE": lock.open_files,
        "RLIMIT_CORE": 0,
        "RLIMIT_SIGPENDING": _PENDING_SIGNALS,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_MEMLOCK": 0,
    }


def is_required(limit: str, lock: Lock) -> bool:
    """Whether nothing may run where this limit isn't in force."""
    return lock.landlock or limit not in _OF_LINUX


def apply(lock: Lock) -> None:
    """Lock this process. Raises OSError or ValueError if any part is refused: the caller must then run nothing."""
    if os.getuid() == 0:
        raise PermissionError("root can't be locked: RLIMIT_NPROC doesn't bind it")
    os.chdir(lock.directory)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _die_first()
    _prctl(_PR_SET_DUMPABLE, 0)
    restrain(lock)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    version = _restrict_files(lock) if lock.landlock else 0
    seccomp.install(version)


def restrain(lock: Lock) -> None:
    """Set all limits. Raises ValueError if one that is required is refused."""
    for name, value in limits(lock).items():
        try:
            _limit(getattr(resource, name), value)
        except ValueError:  # how Python reports EPERM here
            if is_required(name, lock):
                raise


def _limit(limit: int, value: int) -> None:
    ceiling = resource.getrlimit(limit)[1]
    hard = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
    resource.setrlimit(limit, (hard - 1 if limit == resource.RLIMIT_CPU else hard, hard))


def _die_first() -> None:
    """When the pod runs out of memory, the kernel must choose this process, not the runner."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
            score.write("1000")
    except OSError:
        return  # some runtimes don't offer it; the runner also watches the memory itself


def _restrict_files(lock: Lock) -> int:
    interpreter = [sys.base_prefix] if sys.base_prefix not in ("/", "/usr") else []
    return landlock.restrict([*_SYSTEM_READABLE, *interpreter, lock.library], [lock.directory], lock.shared, _DEVICES)


def hide() -> None:
    """For the runner itself: no other process of its user may read its memory, environment or descriptors."""
    _prctl(_PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """For the runner itself: processes that an execution leaves behind become its children, so that it can reap them."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)

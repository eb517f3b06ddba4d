"""Starting, watching and ending locked processes. Each is the leader of its own session and process group, which it can't leave."""

import fcntl
import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass

from rune_sandbox.lock import Lock

DOCUMENT_FD, CHANNEL_FD, REPORT_FD = 3, 4, 5
LOCK_FAILED, OUT_OF_MEMORY = 70, 71
_ENTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "enter.py")
_ABOVE_OURS = 64  # source descriptors are moved here, so that placing one never overwrites the next
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Ending:
    """How a process ended: by itself with a code, or by a signal."""

    code: int | None
    signal: str | None
    by_us: bool = False


def spawn(part: str, lock: Lock, document: dict, descriptors: dict[int, int]) -> "Group":
    """Start `part`; `descriptors` maps its descriptor numbers to ours, which stay ours to close."""
    held: list[int] = []
    try:
        placed = {
            **descriptors,
            0: _own(held, os.open(os.devnull, os.O_RDONLY)),
            DOCUMENT_FD: _own(held, _in_memory({**document, "lock": asdict(lock)})),
        }
        high = {target: _own(held, fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, _ABOVE_OURS)) for target, source in placed.items()}
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-B", _ENTER, part],
            _environment(lock),
            file_actions=[(os.POSIX_SPAWN_DUP2, source, target) for target, source in high.items()],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE],
        )
    finally:
        for descriptor in held:
            os.close(descriptor)
    return Group(pid)


def _own(held: list[int], descriptor: int) -> int:
    held.append(descriptor)
    return descriptor


def _in_memory(document: dict) -> int:
    descriptor = os.memfd_create("document", os.MFD_CLOEXEC)
    with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
        json.dump(document, file)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _environment(lock: Lock) -> dict[str, str]:
    """Nothing of the runner's own environment crosses."""
    here = lock.directory
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": here,
        "TMPDIR": here,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


class Group:
    """A process group whose leader we started. Not reaped before it is killed whole, so its number can't be given to another."""

    def __init__(self, pid: int):
        self.pid = pid
        self._ending: Ending | None = None
        self._killed = False

    def ending(self) -> Ending | None:
        """How the leader ended, None while it runs."""
        if self._ending is None and not self._killed:
            state = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if state is not None:
                exited = state.si_code == os.CLD_EXITED
                self._ending = Ending(state.si_status, None) if exited else Ending(None, signal.Signals(state.si_status).name)
        return self._ending

    def kill(self) -> Ending:
        """End every process of the group and reap it. Orphans have become ours (the runner is a subreaper), so none is left."""
        if not self._killed:
            ended = self.ending()
            os.killpg(self.pid, signal.SIGKILL)
            self._reap()
            self._killed = True
            self._ending = ended or Ending(None, "SIGKILL", by_us=True)
        return self._ending

    def _reap(self) -> None:
        while True:
            try:
                os.waitpid(-self.pid, 0)
            except ChildProcessError:
                return

    def usage(self) -> tuple[int, int]:
        """(threads, resident bytes) of the whole group now; pages shared after a fork count for each."""
        threads = resident = 0
        for name in os.listdir("/proc"):
            fields = stat_fields(name) if name.isdigit() else None
            if fields is not None and int(fields[2]) == self.pid:
                threads += int(fields[17])
                resident += int(fields[21]) * _PAGE
        return threads, resident


def stat_fields(pid: str) -> list[str] | None:
    """What /proc says of a process, from its state (field 3 of proc(5)) on; None where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def channel_pair() -> tuple[int, int]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return ours.detach(), theirs.detach()

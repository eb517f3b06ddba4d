"""Samples from outside, 20 times a second while a program runs:
what its processes hold, and what they use of the machine.
"""

import os
import re
import stat
import threading
from contextlib import suppress

from adversary import processes
from adversary.pod import Pod

_SAMPLE_SECONDS = 0.05
_MOST_FILES, _MOST_LOOKED_INTO = 2000, 12  # per sample, so that a bomb doesn't stop the observer
NAMESPACES = ("user", "mnt", "net", "pid", "ipc", "uts", "cgroup")


class Watch(threading.Thread):
    """Begins with `start`, ends with `end`; the findings stay in its fields."""

    def __init__(self, pod: Pod):
        super().__init__(daemon=True)
        self._pod, self._ended = pod, threading.Event()
        self._device = os.stat(pod.inside(pod.out)).st_dev
        self.peak: dict[
            str, int
        ] = {}  # bytes "resident" and "held" on the volume, numbers of "aio" contexts, "ipc" objects, "keys"
        self.links: set[str] = set()  # targets of descriptors
        self.namespaces: set[tuple[str, str]] = set()  # other than the runner's
        self.identities: set[tuple[int, tuple[str, ...]]] = set()  # processes with other user IDs
        self.mapped: set[str] = set()  # code from the output volume that is run or mapped for execution
        self.protocols: dict[str, int] = {}  # additional sockets, by protocol
        self.groups: set[tuple[int, int, int, int]] = set()  # (process group, session, process, parent)
        self.mounts = processes.text_of(f"/proc/{pod.pid}/mounts")
        self._runner_namespaces = {name: processes.link_of(f"/proc/{pod.pid}/ns/{name}") for name in NAMESPACES}
        self._before = _counters(pod.uid)
        self._protocols_before = _protocols()

    def run(self) -> None:
        while not self._ended.is_set():
            with suppress(OSError, ValueError, IndexError):  # processes vanish while they are looked at
                self._sample()
            self._ended.wait(_SAMPLE_SECONDS)

    def end(self) -> None:
        self._ended.set()
        self.join()

    def _sample(self) -> None:
        for name, value in _counters(self._pod.uid).items():
            self._top(name, value - self._before[name])
        for name, count in _protocols().items():
            more = count - self._protocols_before.get(name, 0)
            if more > 0:
                self.protocols[name] = max(more, self.protocols.get(name, 0))
        held, resident = self._visible_files(), 0
        for index, pid in enumerate(self._pod.strangers()):
            resident += processes.resident_bytes(pid)
            self._see(pid)
            if index < _MOST_LOOKED_INTO:
                with suppress(OSError):
                    self._see_descriptors(pid, held)
        self._top("held", sum(held.values()))
        self._top("resident", resident)

    def _top(self, name: str, value: int) -> None:
        self.peak[name] = max(value, self.peak.get(name, 0))

    def _visible_files(self) -> dict[tuple[int, int], int]:
        """Bytes of named files on the volume, by device and inode."""
        found = {}
        for parent, _, names in os.walk(self._pod.inside(self._pod.out)):
            for name in names[:200]:
                with suppress(OSError):
                    seen = os.lstat(os.path.join(parent, name))
                    found[seen.st_dev, seen.st_ino] = seen.st_blocks * 512
            if len(found) > _MOST_FILES:
                break
        return found

    def _see(self, pid: int) -> None:
        if fields := processes.stat_fields(pid):
            self.groups.add(
                (int(fields[processes.GROUP]), int(fields[processes.SESSION]), pid, int(fields[processes.PARENT]))
            )
        identity = processes.user_ids(pid)
        if identity and set(identity) != {str(self._pod.uid)}:
            self.identities.add((pid, identity))
        for name, ours in self._runner_namespaces.items():
            seen = processes.link_of(f"/proc/{pid}/ns/{name}")
            if seen and seen != ours:
                self.namespaces.add((name, seen))
        program = processes.link_of(f"/proc/{pid}/exe")
        if program.startswith(str(self._pod.out)):
            self.mapped.add(program)

    def _see_descriptors(self, pid: int, held: dict[tuple[int, int], int]) -> None:
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{descriptor}"
            self.links.add(processes.link_of(path))
            with suppress(OSError):
                seen = os.stat(path)
                if stat.S_ISREG(seen.st_mode) and seen.st_dev == self._device and seen.st_uid == self._pod.uid:
                    held[seen.st_dev, seen.st_ino] = seen.st_blocks * 512
        for line in processes.text_of(f"/proc/{pid}/maps").splitlines():
            if str(self._pod.out) in line and "x" in line.split()[1]:
                self.mapped.add(line)


def _counters(uid: int) -> dict[str, int]:
    """The kernel's machine-wide counts: contexts of asynchronous input and output, System V objects, keys of this
    user.
    """
    objects = sum(len(processes.text_of(f"/proc/sysvipc/{kind}").splitlines()) for kind in ("shm", "sem", "msg"))
    keys = re.search(rf"^\s*{uid}:\s+\d+\s+(\d+)/", processes.text_of("/proc/key-users"), re.MULTILINE)
    return {
        "aio": int(processes.text_of("/proc/sys/fs/aio-nr") or 0),
        "ipc": objects,
        "keys": int(keys.group(1)) if keys else 0,
    }


def _protocols() -> dict[str, int]:
    rows = (line.split() for line in processes.text_of("/proc/net/protocols").splitlines()[1:])
    return {row[0]: int(row[2]) for row in rows}

"""Usage of executions, seen from outside:
their processes, the buffers of their sockets, and what the kernel charges to the whole sandbox.
"""

import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from rune_sandbox.processes import stat_fields

_PAGE = os.sysconf("SC_PAGE_SIZE")
_CGROUPS = Path("/sys/fs/cgroup")

# As in sock_diag(7) and linux/unix_diag.h.
_SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, _DONE, _ERROR = 20, 0x301, 3, 2
_SHOW_MEMORY, _SHOW_UID, _MEMORY, _UID = 0x20, 0x40, 5, 7
_HEADER, _UNIX_MESSAGE, _ATTRIBUTE = struct.Struct("=IHHII"), 16, struct.Struct("=HH")


@dataclass(frozen=True)
class GroupUsage:
    threads: int
    resident: int


def of_groups(leaders: tuple[int, ...]) -> dict[int, GroupUsage]:
    """Threads and resident bytes of each whole group now; pages shared after a fork count for each process."""
    threads, resident = dict.fromkeys(leaders, 0), dict.fromkeys(leaders, 0)
    for name in os.listdir("/proc"):
        fields = stat_fields(name) if name.isdigit() else None
        if fields is not None and (group := int(fields[2])) in threads:
            threads[group] += int(fields[17])
            resident[group] += _PAGE * (
                _pages_of_threads(name) if fields[0] == "Z" and fields[17] != "1" else int(fields[21])
            )
    return {leader: GroupUsage(threads[leader], resident[leader]) for leader in leaders}


def _pages_of_threads(pid: str) -> int:
    """For a process whose first thread has ended: /proc shows no memory there, but its other threads still have it."""
    pages = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            pages = max(pages, int(Path(f"/proc/{pid}/task/{thread}/statm").read_text(encoding="ascii").split()[1]))
    except (OSError, IndexError):
        return pages
    return pages


def of_unix_sockets() -> int | None:
    """Bytes in the buffers of this user's UNIX sockets in this network namespace;
    None if the kernel doesn't report it.
    """
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as kernel:  # NETLINK_SOCK_DIAG
            kernel.settimeout(1)
            request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, _SHOW_MEMORY | _SHOW_UID, 0, 0)
            kernel.send(_HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + request)
            total = 0
            while (part := _told(kernel.recv(1 << 16))) is not None:
                total += part[0]
                if part[1]:
                    return total
    except OSError:
        return None
    return None


def _told(message: bytes) -> tuple[int, bool] | None:
    """(bytes of our sockets, whether this was all); None for an error."""
    at, total = 0, 0
    while at + _HEADER.size <= len(message):
        length, kind, *_ = _HEADER.unpack_from(message, at)
        if kind == _DONE:
            return total, True
        if kind == _ERROR or length < _HEADER.size:
            return None
        attributes = dict(_attributes(message[at + _HEADER.size + _UNIX_MESSAGE : at + length]))
        if _MEMORY in attributes and struct.unpack("=I", attributes.get(_UID, b"\xff" * 4))[0] == os.getuid():
            received, _, sent = struct.unpack_from("=III", attributes[_MEMORY])
            total += received + sent
        at += (length + 3) & ~3
    return total, False


def _attributes(data: bytes):
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind, data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3


class Charged:
    """Memory that the kernel charges to this sandbox's cgroup, version 1 or 2:
    all of it, the runner's included, less what is reclaimable.
    """

    def __init__(self):
        self._current, self._stat, self._prefix, self.limit = _memory_cgroup()

    def bytes(self) -> int | None:
        """None where the sandbox has no separate limit, or none that can be read."""
        if self.limit is None:
            return None
        try:
            current = int(self._current.read_text(encoding="ascii"))
            kept = dict(line.split() for line in self._stat.read_text(encoding="ascii").splitlines())
        except OSError:
            return None
        # Copies of what is on disk.
        return current - sum(int(kept.get(f"{self._prefix}{each}_file", 0)) for each in ("active", "inactive"))


def _memory_cgroup() -> tuple[Path, Path, str, int | None]:
    """Files of the cgroup that limits us; the limit is None where only the size of the machine limits us."""
    machine = os.sysconf("SC_PHYS_PAGES") * _PAGE
    found = Path("/nowhere"), Path("/nowhere"), ""
    for directory in _own_cgroups():
        for current, limit, prefix in (
            ("memory.current", "memory.max", ""),
            ("memory.usage_in_bytes", "memory.limit_in_bytes", "total_"),
        ):
            try:
                most = (directory / limit).read_text(encoding="ascii").strip()
            except OSError:
                continue
            if most.isdigit() and int(most) < machine:
                return directory / current, directory / "memory.stat", prefix, int(most)
    return *found, None


def _own_cgroups() -> list[Path]:
    """Where this process's memory cgroup may be visible:
    by its path, or at the top where a container sees only its own.
    """
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    paths = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
    found: list[Path] = []
    for root, path in ((_CGROUPS / "memory", paths.get("memory")), (_CGROUPS, paths.get(""))):
        if path is not None:
            found += [root / path.lstrip("/"), root]
    return found

"""The output volume: fresh directories for executions, bounded while they are used, removed whatever they contain.

Everything is reached through descriptors and never through links: what an execution moves or swaps can't redirect it.
"""

import errno
import os
import secrets
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from rune_sandbox.processes import Unending

MAX_ENTRIES = 10_000
_MAX_LEVELS = 100
_MOST_REMOVED = 5_000_000
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Usage:
    bytes: int
    files: int


@dataclass(frozen=True)
class Directory:
    path: str
    descriptor: int


class Volume:
    """`path` and everything in it. `own`: a tmpfs that nothing else uses, so that its usage is the executions'."""

    def __init__(self, path: str):
        self.path = path
        self._descriptor = os.open(path, _DIRECTORY)
        self.of_its_own = is_tmpfs(path)
        self._used: set[str] = set()

    @contextmanager
    def fresh(self, prefix: str):
        """A directory with a secret name, since programs can't list the volume. Not removed while processes are left
        that can't be killed: they might redirect the removal."""
        self.open_again()
        name = prefix + secrets.token_hex(16)
        self._used.add(name)
        os.mkdir(name, 0o700, dir_fd=self._descriptor)
        descriptor = os.open(name, _DIRECTORY, dir_fd=self._descriptor)
        is_over = True
        try:
            yield Directory(os.path.join(self.path, name), descriptor)
        except Unending:
            is_over = False
            raise
        finally:
            os.close(descriptor)
            self.open_again()
            if is_over:
                remove(name, self._descriptor)
                self._used.remove(name)

    def clear(self) -> None:
        """Remove everything of this user's that isn't in use."""
        clear(self._descriptor, self._used)

    def open_again(self) -> None:
        """If the volume is the runner's own, a program of the same user may have closed it."""
        state = os.fstat(self._descriptor)
        if state.st_uid == os.getuid() and stat.S_IMODE(state.st_mode) != stat.S_IRWXU:
            os.fchmod(self._descriptor, stat.S_IRWXU)

    def usage(self) -> Usage:
        """Of the whole volume, including unlinked files and closed directories."""
        state = os.fstatvfs(self._descriptor)
        return Usage((state.f_blocks - state.f_bfree) * state.f_frsize, state.f_files - state.f_ffree)


def is_tmpfs(path: str) -> bool:
    """Whether a tmpfs is mounted at this very path (proc(5), mountinfo)."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            fields, _, source = line.partition(" - ")
            if fields.split()[4] == os.path.realpath(path) and source.split()[0] == "tmpfs":
                return True
    return False


class _TooMuch(Exception):
    pass


class _Count:
    """Looks through a tree, deepest first, so that it holds one descriptor per level."""

    def __init__(self, most_bytes: int, closed_count: bool):
        self._bytes_left, self._entries_left, self._closed_count = most_bytes, MAX_ENTRIES, closed_count

    def look(self, directory: int, levels_left: int = _MAX_LEVELS) -> None:
        with os.scandir(directory) as entries:
            inner = [entry.name for entry in entries if self._counted(entry)]
        if inner and levels_left == 0:
            raise _TooMuch
        for name in inner:
            try:
                descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
            except PermissionError:
                if self._closed_count:
                    raise _TooMuch from None
                continue
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):  # removed or replaced meanwhile
                    raise
                continue
            try:
                self.look(descriptor, levels_left - 1)
            finally:
                os.close(descriptor)

    def _counted(self, entry: os.DirEntry[str]) -> bool:
        """Whether it is a directory."""
        self._bytes_left -= _size(entry)
        self._entries_left -= 1
        if self._bytes_left < 0 or self._entries_left < 0:
            raise _TooMuch
        return entry.is_dir(follow_symlinks=False)


def exceeds(directory: int, most_bytes: int, closed_count: bool) -> bool:
    """Whether the tree holds more than `most_bytes` or MAX_ENTRIES, or is too deep to count; with `closed_count`, also
    whether a part of it is closed to the runner. Its cost is bounded by MAX_ENTRIES."""
    try:
        _Count(most_bytes, closed_count).look(directory)
    except _TooMuch:
        return True
    return False


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        return 0


def remove(name: str, parent: int) -> None:
    """Remove a tree of any depth with bounded descriptors: inner directories are first moved to the top. Nothing may
    write in it any more; if it still grows, OSError is raised."""
    top = _open_closed(name, parent)
    try:
        _empty(top, name)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def clear(directory: int, but: set[str]) -> None:
    """Remove everything of this user's in a shared directory."""
    for name, is_directory in _listed(directory):
        if name in but or os.stat(name, dir_fd=directory, follow_symlinks=False).st_uid != os.getuid():
            continue
        remove(name, directory) if is_directory else _unlink(name, directory)


def _empty(top: int, name: str) -> None:
    numbers, removed = count(), 0
    while found := _listed(top):
        for entry, is_directory in found:
            removed += _flatten(entry, top, numbers) if is_directory else _unlink(entry, top)
        if removed > _MOST_REMOVED:
            raise OSError(errno.EBUSY, f"{name} doesn't get empty")


def _open_closed(name: str, parent: int) -> int:
    """Open a directory whose owner may have closed it, without following a link."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if stat.S_IMODE(os.fstat(handle).st_mode) & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(f"/proc/self/fd/{handle}", stat.S_IRWXU)
        return os.open(".", _DIRECTORY, dir_fd=handle)
    finally:
        os.close(handle)


def _listed(directory: int) -> list[tuple[str, bool]]:
    with os.scandir(directory) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]


def _unlink(name: str, parent: int) -> int:
    os.unlink(name, dir_fd=parent)
    return 1


def _flatten(name: str, top: int, numbers: Any) -> int:
    descriptor = _open_closed(name, top)
    try:
        inner = _listed(descriptor)
        for child, is_directory in inner:
            if is_directory:
                os.close(_open_closed(child, descriptor))  # moving it requires write permission in it
                os.rename(child, _unused(top, numbers), src_dir_fd=descriptor, dst_dir_fd=top)
            else:
                os.unlink(child, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=top)
    return len(inner) + 1


def _unused(top: int, numbers: Any) -> str:
    for number in numbers:
        name = f"moved-{number}"
        try:
            os.stat(name, dir_fd=top, follow_symlinks=False)
        except FileNotFoundError:
            return name
    raise AssertionError("there is always a next number")

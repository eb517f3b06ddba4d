"""Fresh directories for executions: bounded while they are used, removed whatever was built in them."""

import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from itertools import count

MAX_ENTRIES = 10_000


@contextmanager
def fresh(parent: str, prefix: str):
    directory = tempfile.mkdtemp(prefix=prefix, dir=parent)
    try:
        yield directory
    finally:
        remove(directory)


def exceeds(directory: str, most_bytes: int) -> bool:
    """Whether the tree holds more than `most_bytes` or MAX_ENTRIES, or can't be looked through. Never follows links; its cost is bounded by MAX_ENTRIES."""
    seen, size, pending = 0, 0, [directory]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    seen += 1
                    size += _size(entry)
                    if seen > MAX_ENTRIES or size > most_bytes:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except FileNotFoundError:
            continue  # removed while we looked
        except OSError:
            return True  # deeper than a path can name, or closed to us: nobody could tell how much it holds
    return False


def _size(entry: os.DirEntry) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        return 0


def remove(directory: str) -> None:
    """Remove a tree of any depth with bounded recursion and descriptors: inner directories are first moved to the top."""
    os.chmod(directory, stat.S_IRWXU)  # its owner may have closed it
    numbers = count()
    while True:
        with os.scandir(directory) as entries:
            found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
        if not found:
            break
        for path, is_directory in found:
            _flatten(path, directory, numbers) if is_directory else os.unlink(path)
    shutil.rmtree(directory)


def _flatten(path: str, top: str, numbers) -> None:
    os.chmod(path, stat.S_IRWXU)
    with os.scandir(path) as entries:
        inner = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for child, is_directory in inner:
        if is_directory:
            os.chmod(child, stat.S_IRWXU)
            os.rename(child, _unused(top, numbers))
        else:
            os.unlink(child)
    os.rmdir(path)


def _unused(top: str, numbers) -> str:
    return next(name for name in (os.path.join(top, f"moved-{number}") for number in numbers) if not os.path.lexists(name))

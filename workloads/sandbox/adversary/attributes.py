"""What can be seen of files without opening a door: mode, owner, links, time, content and attributes."""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

State = dict[str, tuple[Any, ...] | list[Any]]


def below(tree: Path) -> list[Path]:
    return [tree, *tree.rglob("*")] if tree.is_dir() else [tree]


def of(path: str) -> tuple[Any, ...]:
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

"""Canonical JSON and digests: equal content gives equal bytes, in Python and TypeScript alike."""

import hashlib
import json
import pathlib
from typing import Any


def canonical(value: Any) -> bytes:
    """Keys sorted by their UTF-16 code units at every level, no spaces, UTF-8, no newline at the end (RFC 8785, but for floats).

    ValueError: a number that isn't finite.
    """
    return json.dumps(_sorted(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return {name: _sorted(value[name]) for name in names}
    if isinstance(value, (list, tuple)):
        return [_sorted(each) for each in value]
    return value


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def file_sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_identity(directory: pathlib.Path) -> str:
    """Identity of a base model: SHA-256 over the lines `<sha256>  <name>`, sorted by name, of all its files.

    Hidden files don't count: they are the stager's notes.
    """
    files = (p.relative_to(directory) for p in directory.rglob("*") if p.is_file())
    names = sorted(path.as_posix() for path in files if not any(part.startswith(".") for part in path.parts))
    return digest_of("".join(f"{file_sha256(directory / name)}  {name}\n" for name in names).encode())

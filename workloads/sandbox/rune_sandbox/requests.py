"""What callers may ask: parsed once, here; trusted behind it."""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from typing import Any

from rune_sandbox.contract import (
    EPOCH,
    ID_PATTERN,
    MEMORY_MIB,
    MOST_SECONDS,
    OUTPUT_BYTES,
    OUTPUT_BYTES_UNSET,
    PROBE_TARGETS,
)


class BadRequest(ValueError):
    """The sentence says which field is wrong and what it must be."""


@dataclass(frozen=True)
class Execution:
    id: str
    epoch: int
    entry_point: str
    program: str
    tests: str
    timeout_seconds: float
    memory_bytes: int
    output_bytes: int
    digest: str  # over everything but the epoch: a new agent may ask again for what an older one started


def execution(body: bytes) -> Execution:
    document = _document(body)
    identity = _text(document, "id")
    if not re.fullmatch(ID_PATTERN, identity):
        raise BadRequest("id must be <uid>/<n> or <uid>/<n>/<k>")
    same = {key: value for key, value in document.items() if key != "epoch"}
    return Execution(
        id=identity,
        epoch=_integer(document, "epoch", EPOCH),
        entry_point=_entry_point(document),
        program=_text(document, "program"),
        tests=_text(document, "tests"),
        timeout_seconds=_seconds(document),
        memory_bytes=_integer(document, "memoryMiB", MEMORY_MIB) << 20,
        output_bytes=_integer(document, "outputBytes", OUTPUT_BYTES, OUTPUT_BYTES_UNSET),
        digest=hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest(),
    )


@dataclass(frozen=True)
class Trial:
    entry_point: str
    tests: str


def trial(body: bytes) -> Trial:
    document = _document(body)
    return Trial(_entry_point(document), _text(document, "tests"))


def targets(body: bytes) -> dict[str, tuple[str, int]]:
    """Name → (host, port) of what must be out of reach."""
    given = _document(body).get("targets") or {}
    if not isinstance(given, dict) or not set(given) <= set(PROBE_TARGETS):
        raise BadRequest(f"targets may name {', '.join(PROBE_TARGETS)}")
    return {name: _address(name, value) for name, value in given.items() if value is not None}


def _address(name: str, value: Any) -> tuple[str, int]:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise BadRequest(f"targets.{name} must be host:port")
    return host.strip("[]"), int(port)


def _entry_point(document: dict[str, Any]) -> str:
    name = _text(document, "entryPoint")
    if not name.isidentifier():
        raise BadRequest("entryPoint must be the name of a Python function or class")
    return name


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(document, dict):
        raise BadRequest("the body must be a JSON object")
    return document


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadRequest(f"{name} holds a lone surrogate; it must be valid Unicode") from None
    return value


def _integer(document: dict[str, Any], name: str, bounds: tuple[int, int], default: int | None = None) -> int:
    least, most = bounds
    value: Any = document.get(name, default)
    if type(value) is not int or not least <= value <= most:
        raise BadRequest(f"{name} must be an integer from {least} to {most}")
    return value


def _seconds(document: dict[str, Any]) -> float:
    value: Any = document.get("timeoutSeconds")
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 < value <= MOST_SECONDS:
        raise BadRequest(f"timeoutSeconds must be a number above 0, at most {MOST_SECONDS}")
    return float(value)

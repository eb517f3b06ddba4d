"""The termination message of a run: its result, or why there is none, where Kubernetes keeps it."""

import math
import os
import pathlib
import sys
from typing import Any

from rune_trainer.canonical import canonical
from rune_trainer.contract import (
    COLLAPSED_CHARACTERS,
    FAILURE_CHARACTERS,
    TERMINATION_BYTES,
    TERMINATION_LOG,
    Result,
)
from rune_trainer.errors import Ending

MESSAGE_BYTES, COLLAPSED_BYTES = FAILURE_CHARACTERS, COLLAPSED_CHARACTERS
"""As JSON, in which a quotation mark is two bytes and a control character six."""
DIGITS = 6
"""Significant digits of a metric and of a weight."""


def message_of(ending: Ending) -> dict[str, Any]:
    return {"failure": {"reason": ending.reason, "message": cut(ending.message, MESSAGE_BYTES)}}


def cut(text: str, most: int) -> str:
    """The longest beginning of a text that fits the bytes as JSON."""
    while len(canonical(text)) > most:
        text = text[: min(len(text) - 1, len(text) * most // len(canonical(text)))]
    return text


def result_of(values: dict[str, Any]) -> dict[str, Any]:
    """`contract.Result`; what is unknown, or no number, is left out."""
    result = {name: values[name] for name in Result.__annotations__ if values.get(name) is not None}
    if "collapsed" in result:
        result["collapsed"] = cut(result["collapsed"], COLLAPSED_BYTES)
    if "metrics" in result:
        result["metrics"] = {name: short(value) for name, value in result["metrics"].items() if math.isfinite(value)}
    if "weights" in result:
        result["weights"] = [short(weight) for weight in result["weights"]]
    return result


def short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def leave(content: dict[str, Any]) -> None:
    """Writes the termination message. The result is already in the registry, so a failure here is only logged."""
    data = canonical(content)
    assert len(data) <= TERMINATION_BYTES, f"a termination message of {len(data)} bytes"
    path = pathlib.Path(os.environ.get("RUNE_TERMINATION_LOG", TERMINATION_LOG))
    try:
        path.write_bytes(data)
    except OSError as error:
        print(f"the termination message could not be written to {path}: {error}", file=sys.stderr)
    print(data.decode(), flush=True)

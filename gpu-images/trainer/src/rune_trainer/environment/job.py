"""The job document of a node, and what is found there."""

import json
import os
import pathlib
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rune_trainer import result
from rune_trainer.contract import SPEC_PATH, EnvironmentJob, Exit
from rune_trainer.errors import Ending, bad_input
from rune_trainer.parsing import read

T = TypeVar("T")

MESSAGE_BYTES = 700
"""Of one check's sentence, so that three fit a termination message."""


@dataclass(frozen=True)
class Found:
    """One check's result, with its observations."""

    name: str
    result: str
    message: str
    versions: dict[str, str] = field(default_factory=dict)
    adapter: dict[str, Any] | None = None

    def check(self) -> dict[str, str]:
        return {"name": self.name, "result": self.result, "message": result.cut(self.message, MESSAGE_BYTES)}


def failed(name: str, message: str, **more: Any) -> Found:
    return Found(name, "Fail", message, **more)


def passed(name: str, message: str, **more: Any) -> Found:
    return Found(name, "Pass", message, **more)


def parse_job(document: Any) -> EnvironmentJob:
    """Raises an `Ending` that names the first wrong field."""
    job = read(EnvironmentJob, document)
    if job.nonce not in job.answer:
        raise bad_input("answer must hold nonce")
    return job


def run(work: Callable[[], dict[str, Any]]) -> int:
    """The exit code of a program whose termination message is the result of `work`, or why there is none."""
    try:
        result.leave(work())
        return 0
    except Ending as ending:
        print(f"{ending.reason}: {ending.message}", file=sys.stderr)
        result.leave(result.message_of(ending))
        return ending.code
    except Exception as error:
        traceback.print_exc()
        result.leave(result.message_of(Ending(1, "Unexpected", f"{type(error).__name__}: {error}")))
        return 1


def read_document(parse: Callable[[Any], T]) -> T:
    path = pathlib.Path(os.environ.get("RUNE_SPEC", SPEC_PATH))
    try:
        return parse(json.loads(path.read_bytes()))
    except OSError as error:
        raise Ending(Exit.MISCONFIGURED, "SpecMissing", f"the job document could not be read: {error}") from error
    except ValueError as error:
        raise bad_input(f"{path} is not JSON: {error}") from error

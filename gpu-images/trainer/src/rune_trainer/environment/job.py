"""The job document of a node, `environmentJob` in crds/contracts/environment.ts, and what is found."""

import json
import os
import pathlib
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rune_trainer import result
from rune_trainer.errors import MISCONFIGURED, Ending, bad_input
from rune_trainer.fields import DIGEST, Fields, parsed
from rune_trainer.spec import Owner, Registry

T = TypeVar("T")

CHECKS = ("GPU", "Torch", "QLoRA")
MESSAGE_BYTES = 700
"""Of one check's sentence, so that three fit a termination message."""


@dataclass(frozen=True)
class Output:
    repository: str
    tag: str


@dataclass(frozen=True)
class EnvironmentJob:
    owner: Owner
    node: str
    device: str
    gpus: int
    checks: tuple[str, ...]
    path: str
    """Directory of the staged base."""
    base: str
    """Its name, for people."""
    digest: str | None
    """Its identity, where that is known before it is staged."""
    quantization: str
    question: str
    answer: str
    nonce: str
    output: Output | None
    registry: Registry


@dataclass(frozen=True)
class Found:
    """One check's result, with what it saw on the way."""

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


def owner_of(f: Fields) -> Owner:
    return Owner(f.text("kind"), f.text("namespace"), f.text("name"), f.text("uid"))


def parse_job(f: Fields) -> EnvironmentJob:
    checks = tuple(f.items("checks", least=1))
    if unknown := [each for each in checks if each not in CHECKS]:
        raise bad_input(f"{f.at('checks')} may hold {', '.join(CHECKS)}, not {unknown[0]!r}")
    path, base, digest = f.inner(
        "base",
        lambda b: (b.text("path"), b.text("name"), b.text("digest", matching=DIGEST) if "digest" in b.value else None),
    )
    job = EnvironmentJob(
        owner=f.inner("owner", owner_of),
        node=f.text("node"),
        device=f.one_of("device", ("CPU", "GPU")),
        gpus=f.whole("gpus", 0, 64),
        checks=checks,
        path=path,
        base=base,
        digest=digest,
        quantization=f.one_of("quantization", ("NF4", "None")),
        question=f.text("question"),
        answer=f.text("answer"),
        nonce=f.text("nonce"),
        output=f.optional("output", lambda o: Output(o.text("repository"), o.text("tag"))),
        registry=f.inner("registry", lambda r: Registry(r.text("url"), r.text("tokenFile"))),
    )
    if job.nonce not in job.answer:
        raise bad_input(f"{f.at('answer')} must hold {f.at('nonce')}")
    return job


def run(work: Callable[[], dict[str, Any]]) -> int:
    """The exit code of a program whose termination message is what `work` gives, or why there is none."""
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


def read_document(parse: Callable[[Fields], T]) -> T:
    path = pathlib.Path(os.environ.get("RUNE_SPEC", "/rune/spec.json"))
    try:
        return parsed(json.loads(path.read_bytes()), "", parse)
    except OSError as error:
        raise Ending(MISCONFIGURED, "SpecMissing", f"the job document could not be read: {error}") from error
    except ValueError as error:
        raise bad_input(f"{path} is not JSON: {error}") from error

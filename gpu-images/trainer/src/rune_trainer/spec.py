"""The job document at `/rune/spec.json`: fully resolved, every reference a digest.

Its schema is `trainerJob` in crds/src/job-spec.ts. Parsing here is strict about what the trainer uses and names
the field of every mistake; fields it doesn't know are refused too, so that a typo is never a silent default.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from rune_trainer.errors import bad_input

T = TypeVar("T")

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?(e-?[0-9]+)?")
ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
INCLUDES = ("Programs", "Notes", "Corrections")


@dataclass(frozen=True)
class Owner:
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class Sft:
    rank: int
    alpha: int
    target_modules: tuple[str, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    max_length: int
    precision: str
    quantization: str
    seed: int


@dataclass(frozen=True)
class Base:
    path: str
    name: str
    digest: str


@dataclass(frozen=True)
class Reference:
    repository: str
    digest: str


@dataclass(frozen=True)
class Corpus:
    trajectories: tuple[Reference, ...]
    include: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Output:
    repository: str
    scope: dict[str, str]
    generation: int
    parents: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Checkpoint:
    directory: str
    every_steps: int


@dataclass(frozen=True)
class Registry:
    url: str
    token_file: str


@dataclass(frozen=True)
class Nats:
    url: str
    credentials_file: str


@dataclass(frozen=True)
class Mlflow:
    url: str
    experiment: str


@dataclass(frozen=True)
class Job:
    owner: Owner
    attempt: int
    method: str
    sft: Sft | None
    base: Base
    corpus: Corpus
    output: Output
    checkpoint: Checkpoint
    registry: Registry
    nats: Nats | None
    mlflow: Mlflow | None


class Fields:
    """One object of the document, read field by field; `done` refuses what nobody asked for."""

    def __init__(self, value: Any, path: str):
        if not isinstance(value, dict):
            raise bad_input(f"{path or 'the job document'} must be an object, not {kind_of(value)}")
        self.value, self.path, self.read = value, path, set[str]()

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str, default: Any = ...) -> Any:
        self.read.add(name)
        if name in self.value:
            return self.value[name]
        if default is ...:
            raise bad_input(f"{self.at(name)} is missing")
        return default

    def text(self, name: str, default: Any = ..., matching: re.Pattern[str] | None = None) -> str:
        value = self.take(name, default)
        if not isinstance(value, str) or not value and default is ...:
            raise bad_input(f"{self.at(name)} must be a non-empty string, not {kind_of(value)}")
        if matching and not matching.fullmatch(value):
            raise bad_input(f"{self.at(name)} is {value!r}, which does not match {matching.pattern}")
        return value

    def whole(self, name: str, low: int, high: int, default: Any = ...) -> int:
        value = self.take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise bad_input(f"{self.at(name)} must be a whole number from {low} to {high}, not {value!r}")
        return value

    def one_of(self, name: str, allowed: tuple[str, ...], default: Any = ...) -> str:
        value = self.take(name, default)
        if value not in allowed:
            raise bad_input(f"{self.at(name)} must be one of {', '.join(allowed)}, not {value!r}")
        return value

    def items(self, name: str, default: Any = ..., least: int = 0) -> list[Any]:
        value = self.take(name, default)
        if not isinstance(value, list) or len(value) < least:
            raise bad_input(f"{self.at(name)} must be a list of at least {least} items")
        return value

    def inner(self, name: str, parse: "Callable[[Fields], T]") -> T:
        fields = Fields(self.take(name), self.at(name))
        parsed = parse(fields)
        fields.done()
        return parsed

    def optional(self, name: str, parse: "Callable[[Fields], T]") -> "T | None":
        if self.take(name, None) is None:
            return None
        return self.inner(name, parse)

    def done(self) -> None:
        unknown = sorted(set(self.value) - self.read)
        if unknown:
            raise bad_input(f"{self.at(unknown[0])} is not a field of the job document; this trainer may be older than the operator")


def kind_of(value: Any) -> str:
    return "nothing" if value is None else f"the {type(value).__name__} {str(value)[:60]!r}"


def parse_owner(f: Fields) -> Owner:
    return Owner(f.text("kind"), f.text("namespace"), f.text("name"), f.text("uid"))


def parse_sft(f: Fields) -> Sft:
    rate = float(f.text("learningRate", "0.0004", DECIMAL))
    if not 0 < rate <= 1:
        raise bad_input(f"{f.at('learningRate')} must be above 0 and at most 1, not {rate}")
    modules = f.items("targetModules", list(ALL_LINEAR), least=1)
    if not all(isinstance(m, str) and re.fullmatch(r"[a-z0-9_]+", m) for m in modules):
        raise bad_input(f"{f.at('targetModules')} must hold names of linear layers such as q_proj")
    return Sft(
        rank=f.whole("rank", 1, 512, 16),
        alpha=f.whole("alpha", 1, 4096, 32),
        target_modules=tuple(sorted(set(modules))),
        epochs=f.whole("epochs", 1, 100, 5),
        batch_size=f.whole("batchSize", 1, 1024, 4),
        learning_rate=rate,
        max_length=f.whole("maxLength", 64, 131072, 1024),
        precision=f.one_of("precision", ("BFloat16", "Float32"), "BFloat16"),
        quantization=f.one_of("quantization", ("None", "NF4"), "None"),
        seed=f.whole("seed", 0, 2147483647, 0),
    )


def parse_reference(value: Any, path: str) -> Reference:
    f = Fields(value, path)
    reference = Reference(f.text("repository"), f.text("digest", matching=DIGEST))
    f.done()
    return reference


def parse_corpus(f: Fields) -> Corpus:
    include = f.items("include", ["Programs"], least=1)
    for wrong in (i for i in include if i not in INCLUDES):
        raise bad_input(f"{f.at('include')} may hold {', '.join(INCLUDES)}, not {wrong!r}")
    trajectories = f.items("trajectories", least=1)
    return Corpus(
        tuple(parse_reference(t, f"{f.at('trajectories')}[{i}]") for i, t in enumerate(trajectories)),
        tuple(include),
        f.text("digest", matching=DIGEST),
    )


def parse_scope(f: Fields) -> dict[str, str]:
    given = {name: f.take(name, None) for name in ("project", "domain", "task")}
    return {name: value for name, value in given.items() if value is not None}


def parse_parent(value: Any, path: str) -> dict[str, str]:
    f = Fields(value, path)
    parent = {"name": f.text("name"), "digest": f.text("digest", matching=DIGEST)}
    f.done()
    return parent


def parse_output(f: Fields) -> Output:
    parents = f.items("parents", [])
    return Output(
        f.text("repository"),
        f.inner("scope", parse_scope),
        f.whole("generation", 0, 1000000, 0),
        tuple(parse_parent(p, f"{f.at('parents')}[{i}]") for i, p in enumerate(parents)),
    )


def parse_nats(f: Fields) -> Nats:
    f.take("stream", None), f.take("subject", None)
    return Nats(f.text("url"), f.text("credentialsFile"))


def parse_job(document: Any) -> Job:
    """Raises an `Ending` that names the first wrong field."""
    f = Fields(document, "")
    job = Job(
        owner=f.inner("owner", parse_owner),
        attempt=f.whole("attempt", 1, 1000),
        method=f.text("method"),
        sft=f.optional("sft", parse_sft),
        base=f.inner("base", lambda b: Base(b.text("path"), b.text("name"), b.text("digest", matching=DIGEST))),
        corpus=f.inner("corpus", parse_corpus),
        output=f.inner("output", parse_output),
        checkpoint=f.inner("checkpoint", lambda c: Checkpoint(c.text("directory"), c.whole("everySteps", 1, 100000))),
        registry=f.inner("registry", lambda r: Registry(r.text("url"), r.text("tokenFile"))),
        nats=f.optional("nats", parse_nats),
        mlflow=f.optional("mlflow", lambda m: Mlflow(m.text("url"), m.text("experiment"))),
    )
    f.done()
    return job

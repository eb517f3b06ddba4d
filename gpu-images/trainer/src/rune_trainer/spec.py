"""The job document at `/rune/spec.json`: fully resolved, every reference a digest.

Its schema is `trainerJob` in crds/contracts/trainer.ts. Parsing here is strict about what the trainer uses and names
the field of every mistake; fields it doesn't know are refused too, so that a typo is never a silent default.
"""

from dataclasses import dataclass
from typing import Any

from rune_trainer.errors import bad_input
from rune_trainer.fields import DIGEST, Fields, parsed
from rune_trainer.settings import SECTIONS, Control, Generate, Hypernetwork, Merge, Sft

INCLUDES = ("Programs", "Notes", "Corrections")


@dataclass(frozen=True)
class Owner:
    kind: str
    namespace: str
    name: str
    uid: str


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
class Source(Reference):
    """A trajectory, or an artifact that holds many."""

    adapter: Reference | None = None
    """What was fine-tuned from this trajectory alone."""


@dataclass(frozen=True)
class NamedReference(Reference):
    name: str = ""


@dataclass(frozen=True)
class Corpus:
    trajectories: tuple[Source, ...]
    include: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Output:
    repository: str
    scope: dict[str, str] | None
    """None where each session of `generate` has its own."""
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
    hypernetwork: Hypernetwork | None
    generate: Generate | None
    merge: Merge | None
    control: Control | None
    base: Base
    corpus: Corpus | None
    adapters: tuple[NamedReference, ...]
    generator: Reference | None
    output: Output
    checkpoint: Checkpoint
    registry: Registry
    nats: Nats | None
    mlflow: Mlflow | None

    @property
    def parents(self) -> tuple[NamedReference, ...]:
        """Adapters that the method starts from, without one that only gives its strength."""
        return self.adapters[: len(self.merge.adapters)] if self.merge else self.adapters


def parse_owner(f: Fields) -> Owner:
    return Owner(f.text("kind"), f.text("namespace"), f.text("name"), f.text("uid"))


def parse_reference(f: Fields) -> Reference:
    return Reference(f.text("repository"), f.text("digest", matching=DIGEST))


def parse_source(f: Fields) -> Source:
    return Source(f.text("repository"), f.text("digest", matching=DIGEST), f.optional("adapter", parse_reference))


def parse_named(f: Fields) -> NamedReference:
    return NamedReference(f.text("repository"), f.text("digest", matching=DIGEST), f.text("name"))


def parse_corpus(f: Fields) -> Corpus:
    include = f.items("include", ["Programs"], least=1)
    for wrong in (i for i in include if i not in INCLUDES):
        raise bad_input(f"{f.at('include')} may hold {', '.join(INCLUDES)}, not {wrong!r}")
    return Corpus(f.list_of("trajectories", parse_source, least=1), tuple(include), f.text("digest", matching=DIGEST))


def parse_scope(f: Fields) -> dict[str, str]:
    given = {name: f.take(name, None) for name in ("project", "domain", "task")}
    return {name: value for name, value in given.items() if value is not None}


def parse_output(f: Fields) -> Output:
    return Output(
        f.text("repository"),
        f.optional("scope", parse_scope),
        f.whole("generation", 0, 1000000, 0),
        f.list_of("parents", lambda p: {"name": p.text("name"), "digest": p.text("digest", matching=DIGEST)}, []),
    )


def parse_nats(f: Fields) -> Nats:
    f.take("stream", None), f.take("subject", None)
    return Nats(f.text("url"), f.text("credentialsFile"))


def parse_fields(f: Fields) -> Job:
    sections = {name: f.optional(name, parse) for name, parse in SECTIONS.items()}
    return Job(
        owner=f.inner("owner", parse_owner),
        attempt=f.whole("attempt", 1, 1000),
        method=f.text("method"),
        **sections,
        base=f.inner("base", lambda b: Base(b.text("path"), b.text("name"), b.text("digest", matching=DIGEST))),
        corpus=f.optional("corpus", parse_corpus),
        adapters=f.list_of("adapters", parse_named, []),
        generator=f.optional("generator", parse_reference),
        output=f.inner("output", parse_output),
        checkpoint=f.inner("checkpoint", lambda c: Checkpoint(c.text("directory"), c.whole("everySteps", 1, 100000))),
        registry=f.inner("registry", lambda r: Registry(r.text("url"), r.text("tokenFile"))),
        nats=f.optional("nats", parse_nats),
        mlflow=f.optional("mlflow", lambda m: Mlflow(m.text("url"), m.text("experiment"))),
    )


def parse_job(document: Any) -> Job:
    """Raises an `Ending` that names the first wrong field."""
    job = parsed(document, "", parse_fields)
    present = [name for name in SECTIONS if getattr(job, name) is not None]
    if job.method in SECTIONS and present != [job.method]:
        raise bad_input(
            f"method is {job.method}, but the sections that are there are: {', '.join(present) or 'none'}; a job has its method's section alone"
        )
    if job.method in NEEDED and getattr(job, NEEDED[job.method]) in (None, ()):
        raise bad_input(f"method {job.method} needs {NEEDED[job.method]}, which is missing")
    if job.method == "generate" and job.generator is None:
        raise bad_input("method generate needs generator, which is missing")
    if names := expected_adapters(job):
        if tuple(a.name for a in job.adapters) != names:
            raise bad_input(
                f"adapters must be {', '.join(names)}, in this order; they are {', '.join(a.name for a in job.adapters) or 'none'}"
            )
        parents = job.parents
        if job.method != "control" and job.output.parents != tuple(
            {"name": a.name, "digest": a.digest} for a in parents
        ):
            raise bad_input(
                f"output.parents must be the adapters {', '.join(a.name for a in parents)} with their digests; they are {', '.join(p['name'] for p in job.output.parents) or 'none'}"
            )
    return job


NEEDED = {"sft": "corpus", "hypernetwork": "corpus", "generate": "corpus", "merge": "adapters", "control": "adapters"}
"""What each method works on, by field of the job document."""


def expected_adapters(job: Job) -> tuple[str, ...]:
    """Names of the adapters that the method's section speaks of, in its order."""
    if job.merge:
        return (*job.merge.adapters, *([job.merge.norm_of] if job.merge.norm_of else []))
    if job.control:
        return (job.control.like,)
    return (job.sft.warm_start,) if job.sft and job.sft.warm_start else ()

"""The job document: fully resolved, every reference a digest. `contract.Job` says its fields; this is how they must fit each other."""

import dataclasses
from typing import Any

from rune_trainer.contract import DIVIDED_METHODS, Job, NamedReference, Parent
from rune_trainer.errors import bad_input
from rune_trainer.parsing import read
from rune_trainer.settings import settled

SECTIONS = ("sft", "hypernetwork", "generate", "merge", "control")
"""Fields that hold a method's section, which has the method's name."""
NEEDED = {"sft": "corpus", "hypernetwork": "corpus", "generate": "corpus", "merge": "adapters", "control": "adapters"}
"""What each method works on, by field of the job document."""


def parse_job(document: Any) -> Job:
    """Raises an `Ending` that names the first wrong field."""
    read_as = read(Job, document)
    sections = {name: getattr(read_as, name) for name in SECTIONS}
    present = {name: settled(section, name) for name, section in sections.items() if section is not None}
    job = dataclasses.replace(read_as, **present)
    require_method(job, list(present))
    require_adapters(job)
    return job


def require_method(job: Job, present: list[str]) -> None:
    if present != [job.method]:
        raise bad_input(
            f"method is {job.method}, but the sections that are there are: {', '.join(present) or 'none'}; a job has its method's section alone"
        )
    if (job.workers or 1) > 1 and job.method not in DIVIDED_METHODS:
        raise bad_input(
            f"workers is {job.workers}, but {job.method} works in one process; only {' and '.join(DIVIDED_METHODS)} divide their work"
        )
    if getattr(job, NEEDED[job.method]) in (None, ()):
        raise bad_input(f"method {job.method} needs {NEEDED[job.method]}, which is missing")
    if job.method == "generate" and job.generator is None:
        raise bad_input("method generate needs generator, which is missing")


def require_adapters(job: Job) -> None:
    names = expected_adapters(job)
    if not names:
        return
    if tuple(a.name for a in job.adapters) != names:
        raise bad_input(
            f"adapters must be {', '.join(names)}, in this order; they are {', '.join(a.name for a in job.adapters) or 'none'}"
        )
    parents = parents_of(job)
    if job.method != "control" and job.output.parents != tuple(Parent(name=a.name, digest=a.digest) for a in parents):
        raise bad_input(
            f"output.parents must be the adapters {', '.join(a.name for a in parents)} with their digests; they are {', '.join(p.name for p in job.output.parents) or 'none'}"
        )


def expected_adapters(job: Job) -> tuple[str, ...]:
    """Names of the adapters that the method's section mentions, in its order."""
    if job.merge:
        return (*job.merge.adapters, *([job.merge.norm_of] if job.merge.norm_of else []))
    if job.control:
        return (job.control.like,)
    return (job.sft.warm_start.adapter,) if job.sft and job.sft.warm_start else ()


def parents_of(job: Job) -> tuple[NamedReference, ...]:
    """Adapters that the method starts from, without one that only gives its strength."""
    return job.adapters[: len(job.merge.adapters)] if job.merge else job.adapters

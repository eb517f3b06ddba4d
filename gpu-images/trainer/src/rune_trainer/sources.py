"""The corpus of a job, pulled from the registry."""

from dataclasses import dataclass
from typing import Any

from rune_trainer import training_data, trajectory
from rune_trainer.contract import Job, Reference
from rune_trainer.registry import Repository
from rune_trainer.trajectory import Item


@dataclass(frozen=True)
class Source:
    """An item of the corpus, and the adapter that was fine-tuned from it alone, if there is one."""

    item: Item
    adapter: Reference | None = None
    digest: str = ""
    """Digest of its artifact."""

    @property
    def trajectory(self) -> dict[str, Any]:
        return self.item.trajectory


def pull_sources(job: Job) -> list[Source]:
    """In the order of the job; an artifact of many contributes all of its lines."""
    assert job.corpus
    known = {
        name: Repository(job.registry.url, job.registry.token_file, name)
        for name in {named.repository for named in job.corpus.trajectories}
    }  # each asks the registry's token server once, not for every trajectory
    return [
        Source(item, named.adapter, named.digest)
        for named in job.corpus.trajectories
        for item in trajectory.pull(known[named.repository], named.digest)
    ]


def training_data_of(job: Job, sources: list[Source]) -> training_data.TrainingData:
    assert job.corpus
    return training_data.of_tasks(
        (named.digest for named in job.corpus.trajectories),
        (task for source in sources for task in source.item.tasks()),
    )

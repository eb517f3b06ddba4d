"""The adapters that were fine-tuned from single trajectories: what `Reconstruction` must equal."""

import json
from collections.abc import Iterable
from typing import Any

import torch
from safetensors.torch import load

from rune_trainer.adapter_io import CONFIG, WEIGHTS
from rune_trainer.errors import data_error
from rune_trainer.exporting import pairs_from, paths_of
from rune_trainer.functional import Pairs
from rune_trainer.lessons import Lesson
from rune_trainer.registry import TITLE, Repository
from rune_trainer.spec import Job, Reference


class Wanted:
    """Reads each adapter once."""

    def __init__(self, job: Job, shapes: dict[str, tuple[int, int]], device: torch.device):
        self.job, self.shapes, self.device, self.known = job, shapes, device, dict[Reference, Pairs]()

    def check(self, lessons: Iterable[Lesson]) -> None:
        """Pulls them all, so that a wrong one is named before anything is trained."""
        for lesson in lessons:
            self.pull(lesson)

    def __call__(self, lessons: list[Lesson]) -> Pairs:
        """N pairs, the smaller ranks filled with zeros."""
        found = [self.pull(lesson) for lesson in lessons]
        return {path: (filled([f[path][0][0] for f in found]), filled([f[path][1][0] for f in found])) for path in self.shapes}

    def pull(self, lesson: Lesson) -> Pairs:
        assert lesson.adapter
        if lesson.adapter not in self.known:
            self.known[lesson.adapter] = self.read(lesson.adapter)
        return self.known[lesson.adapter]

    def read(self, reference: Reference) -> Pairs:
        repository = Repository(self.job.registry.url, self.job.registry.token_file, reference.repository)
        where = f"{reference.repository}@{reference.digest}"
        manifest = repository.need_manifest(reference.digest)
        try:
            config = json.loads(repository.pull_blob(manifest["config"]["digest"]))
            files = {layer["annotations"][TITLE]: layer["digest"] for layer in manifest["layers"]}
            peft = json.loads(repository.pull_blob(files[CONFIG]))
            tensors = load(repository.pull_blob(files[WEIGHTS]))
            self.compare(where, config, paths_of(tensors))
            return pairs_from(tensors, peft["lora_alpha"] / peft["r"], list(self.shapes), self.device)
        except (ValueError, LookupError, TypeError) as error:
            raise data_error("UnexpectedArtifact", f"{where} is no adapter that Reconstruction can equal ({type(error).__name__}: {error}); name adapters that sft made") from error

    def compare(self, where: str, config: dict[str, Any], paths: set[str]) -> None:
        if config["base"]["digest"] != self.job.base.digest:
            raise data_error("WrongBase", f"{where} was fine-tuned on the base {config['base']['digest']}, the hypernetwork is trained for {self.job.base.digest}; fine-tune it on this base")
        if paths != set(self.shapes):
            raise data_error("WrongModules", f"{where} changes {len(paths)} layers, the hypernetwork's targetModules are {len(self.shapes)}; fine-tune it with the same targetModules")


def filled(rows: list[torch.Tensor]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

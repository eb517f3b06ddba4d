"""The adapters that were fine-tuned from single trajectories: the targets of `Reconstruction`."""

import pathlib
import tempfile
from collections.abc import Iterable

import torch
from safetensors.torch import load_file, save_file

from rune_trainer import adapters
from rune_trainer.contract import Job, NamedReference, Reference
from rune_trainer.errors import data_error
from rune_trainer.functional import Pairs
from rune_trainer.lessons import Lesson


class ReconstructionTargets:
    """Each adapter is pulled once, and then read from a file whenever a step needs it: all of them fit neither a GPU
    nor the main memory.
    """

    def __init__(self, job: Job, shapes: dict[str, tuple[int, int]], device: torch.device):
        self.job, self.shapes, self.device = job, shapes, device
        self.scratch = tempfile.TemporaryDirectory(prefix="targets.")
        self.known = dict[Reference, tuple[pathlib.Path, float]]()
        """Adapter → (its file, its scale)"""

    def check(self, lessons: Iterable[Lesson]) -> None:
        """Pulls them all, so that a wrong one is reported before anything is trained."""
        for lesson in lessons:
            self.pull(lesson)

    def __call__(self, lessons: list[Lesson]) -> Pairs:
        """N pairs, the smaller ranks filled with zeros."""
        found = [self.pairs_of(*self.pull(lesson)) for lesson in lessons]
        return {
            path: (filled([f[path][0] for f in found]), filled([f[path][1] for f in found])) for path in self.shapes
        }

    def pull(self, lesson: Lesson) -> tuple[pathlib.Path, float]:
        assert lesson.adapter
        if lesson.adapter not in self.known:
            adapter = self.read(lesson.adapter)
            path = pathlib.Path(self.scratch.name, f"{len(self.known)}.safetensors")
            save_file(adapter.tensors, path)
            self.known[lesson.adapter] = path, adapter.shape.scale
        return self.known[lesson.adapter]

    def pairs_of(self, file: pathlib.Path, scale: float) -> Pairs:
        """A (r, inputs) and B (r, outputs) of every layer, the scale in B, on the device"""
        return {
            path: (pair.a.to(self.device), pair.b.T.contiguous().to(self.device))
            for path, pair in adapters.pairs_of(load_file(file), scale).items()
        }

    def read(self, reference: Reference) -> adapters.Adapter:
        adapter = adapters.load(
            self.job,
            NamedReference(
                repository=reference.repository, digest=reference.digest, name="fine-tuned from one session"
            ),
        )
        shapes = {path: (pair.a.shape[1], pair.b.shape[0]) for path, pair in adapter.pairs().items()}
        if shapes != self.shapes:
            raise data_error(
                "WrongModules",
                f"{reference.repository}@{reference.digest} changes {len(shapes)} layers of {', '.join(adapter.shape.target_modules)}, "
                f"the hypernetwork changes {len(self.shapes)}; fine-tune the adapters with hypernetwork.targetModules",
            )
        return adapter


def filled(rows: list[torch.Tensor]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

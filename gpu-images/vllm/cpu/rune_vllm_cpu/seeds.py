"""Requests with a `seed`.

A prompt that is prefilled in pieces is sampled after each piece, and vLLM discards the sample and rewinds the request's
generator by an offset. CPU generators have none: "CPU Generator does not use offset", and the engine crashes. Here a
request's generator stores its state before the last sample, and rewinding it by any offset restores that.
"""

from typing import Any, Self

import torch

OFFSET_OF_A_SAMPLE = 4
"""The offset by which vLLM rewinds a generator."""


class ReturningGenerator(torch.Generator):
    """A generator whose last sample can be undone."""

    def __new__(cls, other: torch.Generator) -> Self:
        return super().__new__(cls, other.device)

    def __init__(self, other: torch.Generator) -> None:
        self.set_state(other.get_state())
        self.remember()

    def remember(self) -> None:
        self.before = self.get_state()

    def get_offset(self) -> int:
        return OFFSET_OF_A_SAMPLE

    def set_offset(self, offset: int) -> None:
        """Raises ValueError for any offset but that of the last sample's beginning: no other state is stored."""
        if offset != 0:
            raise ValueError(f"a CPU generator can be turned back by one sample, not to {offset}")
        self.set_state(self.before)


def register() -> None:
    from vllm.v1.worker.cpu_model_runner import CPUModelRunner
    from vllm.v1.worker.gpu_input_batch import CachedRequestState

    give_returning_generators(CachedRequestState)
    remember_before_sampling(CPUModelRunner)


def give_returning_generators(state: type) -> None:
    """Wraps once; plugins may be registered several times in one process."""
    wrapped = state.__post_init__
    if getattr(wrapped, "gives_returning_generators", False):
        return

    def __post_init__(self: Any) -> None:
        wrapped(self)
        if self.generator is not None:
            self.generator = ReturningGenerator(self.generator)

    __post_init__.gives_returning_generators = True  # pyrefly: ignore [missing-attribute]  (the mark of what is wrapped)
    state.__post_init__ = __post_init__


def remember_before_sampling(runner: type) -> None:
    """Wraps once, as above."""
    wrapped = runner._sample
    if getattr(wrapped, "remembers", False):
        return

    def _sample(self: Any, *args: Any, **kwargs: Any) -> Any:
        for generator in self.input_batch.generators.values():
            generator.remember()
        return wrapped(self, *args, **kwargs)

    _sample.remembers = True  # pyrefly: ignore [missing-attribute]  (the mark of what is wrapped)
    runner._sample = _sample

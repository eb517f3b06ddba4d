from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from rune_vllm_cpu.seeds import ReturningGenerator, give_returning_generators, remember_before_sampling


def seeded(seed: int = 7) -> torch.Generator:
    return torch.Generator(device="cpu").manual_seed(seed)


def draw(generator: torch.Generator) -> list[float]:
    return torch.empty(5).exponential_(generator=generator).tolist()


def test_it_draws_as_the_generator_that_it_stands_for():
    assert [draw(ReturningGenerator(seeded())) for _ in range(2)] == [draw(seeded())] * 2


def test_a_sample_that_is_thrown_away_is_as_if_it_had_never_been():
    generator, expected = ReturningGenerator(seeded()), seeded()
    for _ in range(3):
        generator.remember()
        draw(generator)
        generator.set_offset(generator.get_offset() - 4)
    assert draw(generator) == draw(expected)
    generator.remember()
    draw(generator)
    generator.set_offset(generator.get_offset() - 4)
    assert draw(generator) == draw(expected)


def test_nothing_else_is_turned_back_in_silence():
    with pytest.raises(ValueError, match="one sample"):
        ReturningGenerator(seeded()).set_offset(8)


def test_requests_get_one_and_the_runner_remembers_before_it_samples():
    @dataclass
    class State:
        generator: torch.Generator | None

        def __post_init__(self) -> None:
            self.initialised = True

    class Runner:
        def __init__(self, generators):
            self.input_batch = SimpleNamespace(generators=generators)

        def _sample(self):
            return draw(self.input_batch.generators[0])

    for _ in range(2):
        give_returning_generators(State)
        remember_before_sampling(Runner)
    assert State(None).generator is None
    state = State(seeded())
    assert state.initialised
    runner = Runner({0: state.generator})
    first = runner._sample()
    assert state.generator is not None
    state.generator.set_offset(0)
    assert runner._sample() == first
    assert runner._sample() != first

"""The alarms at toy scale: the same projects, once with their own trajectories and once with others'."""

import hyper_world
import tiny

from rune_trainer import sft
from rune_trainer.hyper_training import Outcome, train
from rune_trainer.sources import Source
from rune_trainer.trajectory import Item

WORDS = ("aaaa", "zzzz")
SETTINGS = hyper_world.settings_of(
    objective="CrossEntropy", steps=80, batchSize=8, learningRate="0.01", holdoutPercent=25,
    stop={"afterPercent": 100, "cosineDiversityBelow": "0.05", "rightMinusWrongBelow": "0.02"},
)  # fmt: skip


def project(number: int, said: str, asked: str) -> Source:
    """Its trajectory contains one word; its question wants another, or the same."""
    trajectory = tiny.trajectory("it", [f"return {said * 4}"])
    task = {**trajectory["task"], "description": "it", "stub": ""}
    scoped = {**trajectory, "task": {**task, "description": f"It {number}"}, "scope": {"project": f"p{number}"}}
    return Source(Item(scoped, ({"task": task, "program": asked},)))


def trained(directory, projects: list[Source]) -> Outcome:
    return train(hyper_world.training_of(SETTINGS, projects), sft.Run(directory, {}, 100))


def test_with_their_own_trajectories_adapters_differ_and_the_right_one_is_better(tmp_path):
    outcome = trained(tmp_path, [project(n, WORDS[n % 2], WORDS[n % 2]) for n in range(16)])
    assert outcome.collapsed is None
    assert outcome.measured["rightMinusWrong"] > 0.03
    assert outcome.measured["rightMinusMean"] > 0.01


def test_with_other_s_trajectories_training_collapses_to_one_adapter_and_says_so(tmp_path):
    outcome = trained(tmp_path, [project(n, WORDS[n % 2], WORDS[n // 2 % 2]) for n in range(16)])
    assert outcome.measured["cosineDiversity"] < 0.02
    assert abs(outcome.measured["rightMinusWrong"]) < 0.01
    assert "another trajectory's adapter serves as well" in str(outcome.collapsed)

import math

import hyper_world
import pytest
import torch

from rune_trainer.alarms import divergence_bits, others, spread_of, tripped
from rune_trainer.contract import Stop
from rune_trainer.functional import by_trajectory

STOP = Stop(after_percent=30, cosine_diversity_below=0.1, right_minus_wrong_below=0.0)


def gram(*vectors: tuple[float, ...]) -> torch.Tensor:
    rows = torch.tensor(vectors, dtype=torch.float64)
    return rows @ rows.T


def test_orthogonal_adapters_of_one_size_are_as_unlike_as_can_be():
    spread = spread_of(gram((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    assert (spread.cosine_diversity, spread.variance_ratio, spread.effective_rank) == pytest.approx((1, 2 / 3, 2))


def test_equal_adapters_have_no_spread():
    spread = spread_of(gram((1, 2), (1, 2), (1, 2)))
    assert (spread.cosine_diversity, spread.variance_ratio, spread.effective_rank) == pytest.approx((0, 0, 1), abs=1e-9)


def test_one_direction_with_two_signs_looks_diverse_by_its_cosine_and_has_rank_one():
    """How a diversity penalty is satisfied without information: the effective rank reveals it."""
    spread = spread_of(gram((1, 0), (-1, 0), (1, 0), (-1, 0)))
    assert spread.cosine_diversity > 1
    assert spread.effective_rank == pytest.approx(1)


def test_adapters_that_change_nothing_are_all_the_same():
    assert spread_of(torch.zeros(3, 3, dtype=torch.float64)).cosine_diversity == 0


def test_answers_are_a_bit_apart_where_they_never_agree_and_none_where_they_are_the_same():
    sure = torch.tensor([[0.0, -1e9], [0.0, -1e9]])
    assert divergence_bits(sure, sure) == pytest.approx(0, abs=1e-6)
    assert divergence_bits(sure, sure.flip(-1)) == pytest.approx(1)
    half = torch.tensor([[0.0, -1e9], [math.log(0.5), math.log(0.5)]])
    assert 0 < divergence_bits(sure, half) < 1


def test_the_wrong_adapter_is_another_group_s():
    assert others(["a", "a", "b", "c"]) == [2, 2, 3, 0]
    assert others(["a", "b"]) == [1, 0]


@pytest.mark.parametrize(
    ("wrong", "diversity", "said"),
    [
        (0.5, 0.4, None),
        (-0.01, 0.4, "right minus wrong is -0.0100"),
        (0.0, 0.4, "right minus wrong is 0.0000 nats per token, not above 0"),
        (0.5, 0.05, "cosine diversity is 0.0500"),
        (0.0001, 0.1, None),
    ],
)
def test_an_alarm_says_what_it_measured(wrong, diversity, said):
    found = tripped({"rightMinusWrong": wrong, "cosineDiversity": diversity}, STOP)
    assert found == said if found is None or said is None else said in found


def test_reconstruction_is_compared_with_an_adapter_of_nothing_of_the_mean_and_of_chance():
    training = hyper_world.training_of(hyper_world.settings_of())
    network, watch = training.network, training.watch
    wanted = {
        path: (torch.randn(2, 4, a.shape[-1]), torch.randn(2, 4, b.shape[-1]))
        for path, (a, b) in network.static().items()
    }
    watch.wanted = lambda _: wanted
    measured = watch.measure(network)
    assert measured["reconstructionError"] == measured["reconstructionErrorOfMean"] == pytest.approx(1)
    assert measured["reconstructionErrorOfRandom"] == pytest.approx(2, abs=0.5)


def test_what_is_measured_before_a_step_is_what_a_network_that_changes_nothing_has():
    training = hyper_world.training_of(hyper_world.settings_of())
    measured = training.watch.measure(training.network)
    assert (
        measured["rightMinusWrong"]
        == measured["rightMinusMean"]
        == measured["deltaWNorm"]
        == measured["cosineDiversity"]
        == 0
    )
    assert measured["behaviourDistance"] == pytest.approx(0, abs=1e-6)


def test_the_features_of_one_trajectory_at_a_time_are_held_and_give_the_pairs_of_all():
    training = hyper_world.training_of(hyper_world.settings_of(chunkTokens=64, maxChunks=6))
    network, watch = training.network, training.watch
    watch.held_out = training.lessons[:3]
    with torch.no_grad():
        for head in network.heads:
            head.scale_b.fill_(0.5)
        features, mask, counts = training.encoder.batch([lesson.text for lesson in watch.held_out])
        wanted, held = by_trajectory(network(features, mask), counts), list[int]()
        network.register_forward_pre_hook(lambda _, given: held.append(len(given[0])))
        made = watch.generate(network)
    assert held == counts
    for path, pair in wanted.items():
        for one, other in zip(made[path], pair, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)

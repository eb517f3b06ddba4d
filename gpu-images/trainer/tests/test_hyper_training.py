import dataclasses
import pathlib

import hyper_world
import pytest
import torch

from rune_trainer import sft
from rune_trainer.contract import Exit
from rune_trainer.encoder import Kept
from rune_trainer.errors import Ending
from rune_trainer.hyper_training import Outcome, Training, draws_of, look, rate_at, step_loss, train
from rune_trainer.hypernetwork import Hypernetwork

SETTINGS = hyper_world.settings_of()


def run_in(directory: pathlib.Path, stop_after: int | None = None, every: int = 100) -> sft.Run:
    done = []
    return sft.Run(
        directory, {"uid": "one"}, every, lambda: stop_after is not None and len(done) >= stop_after, done.append
    )


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {name: t.clone() for name, t in training.network.state_dict().items()}


@pytest.mark.parametrize("modules", [["down_proj"], ["q_proj", "up_proj", "v_proj"]])
def test_pairs_have_the_shapes_of_their_layers_and_change_nothing_at_the_start(modules):
    training = hyper_world.training_of(hyper_world.settings_of(targetModules=modules))
    texts = [lesson.text for lesson in training.lessons[:3]]
    features, mask, counts = training.encoder.batch(texts)
    generated = training.network(features, mask)
    model = training.asking.model
    for pairs, count in ((generated, 3), (training.network.static(), 1)):
        assert len(pairs) == 2 * len(modules)
        for path, (a, b) in pairs.items():
            layer = model.get_submodule(path)
            assert (a.shape, b.shape) == ((count, 2, layer.in_features), (count, 2, layer.out_features))
            assert a.any() and not b.any()
    assert counts == [1, 1, 1]


def test_the_gradient_reaches_every_parameter_once_something_is_generated():
    training = hyper_world.training_of(hyper_world.settings_of(objective="CrossEntropy"))
    with torch.no_grad():
        for name, p in training.network.named_parameters():
            if name.endswith(("scale_b", "mlp.2.weight")) or "static_b" in name:
                p.add_(0.1 * torch.randn_like(p))
    step_loss(training, draws_of(training.lessons, SETTINGS, 0))
    unreached = [name for name, p in training.network.named_parameters() if p.grad is None or not p.grad.any()]
    assert unreached == []


def test_a_step_that_memory_splits_has_the_gradient_of_the_whole(monkeypatch):
    def gradients():
        training = hyper_world.training_of(hyper_world.settings_of(objective="CrossEntropy", diversityWeight="0.1"))
        loss = step_loss(training, draws_of(training.lessons, SETTINGS, 0))
        return loss, {name: p.grad for name, p in training.network.named_parameters() if p.grad is not None}

    whole_loss, whole = gradients()
    monkeypatch.setattr("rune_trainer.sheet.SHEET_TOKENS", 1)
    split_loss, split = gradients()
    assert split_loss == pytest.approx(whole_loss)
    for name, gradient in whole.items():
        torch.testing.assert_close(split[name], gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("objective", "stop_after"), [("Distillation", 3), ("CrossEntropy", 3), ("CrossEntropy", 4)])
def test_a_run_that_was_stopped_and_resumed_equals_one_that_was_not(tmp_path, objective, stop_after):
    settings = hyper_world.settings_of(objective=objective)
    whole, parts, rest = (hyper_world.training_of(settings) for _ in range(3))
    wanted = train(whole, run_in(tmp_path / "whole", every=2))
    with pytest.raises(Ending) as ended:
        train(parts, run_in(tmp_path / "parts", stop_after=stop_after, every=2))
    assert ended.value.code == Exit.TERMINATED
    rest.encoder.kept = rest.asking.kept = Kept(0)
    outcome = train(rest, run_in(tmp_path / "parts", every=2))
    assert outcome == wanted
    assert [look.step for look in outcome.looks] == [2, 4, 6]
    assert all(torch.equal(t, weights(rest)[name]) for name, t in weights(whole).items())


@pytest.mark.parametrize("passes", [1, 13, 22])
def test_a_step_or_a_measurement_that_is_given_up_has_changed_nothing(tmp_path, monkeypatch, passes):
    """As on a CPU, where one may take longer than a pod has after SIGTERM."""
    monkeypatch.setattr("rune_trainer.sheet.SHEET_TOKENS", 1)
    asked = []

    def stopping() -> bool:
        asked.append(1)
        return len(asked) > passes

    settings = hyper_world.settings_of(steps=2)
    whole, parts, rest = (hyper_world.training_of(settings) for _ in range(3))
    wanted = train(whole, run_in(tmp_path / "whole"))
    with pytest.raises(Ending) as ended:
        train(parts, sft.Run(tmp_path / "parts", {"uid": "one"}, 100, stopping))
    assert (ended.value.code, len(asked)) == (Exit.TERMINATED, passes + 1)
    assert train(rest, run_in(tmp_path / "parts")) == wanted
    assert all(torch.equal(t, weights(rest)[name]) for name, t in weights(whole).items())


def test_a_run_killed_between_a_checkpoint_and_its_alarm_still_ends_by_it(tmp_path):
    settings = hyper_world.settings_of(
        stop={"afterPercent": 0, "cosineDiversityBelow": "0", "rightMinusWrongBelow": "100"}
    )

    class Killed(Exception): ...

    def killed(*_):
        raise Killed

    with pytest.raises(Killed):
        train(hyper_world.training_of(settings), run_in(tmp_path, every=2), killed)
    outcome = train(hyper_world.training_of(settings), run_in(tmp_path, every=2))
    assert (len(outcome.losses), outcome.collapsed is not None) == (2, True)


def test_nothing_stops_a_run_before_its_share_of_the_steps(tmp_path):
    settings = hyper_world.settings_of(
        stop={"afterPercent": 60, "cosineDiversityBelow": "2", "rightMinusWrongBelow": "0"}
    )
    assert len(train(hyper_world.training_of(settings), run_in(tmp_path, every=1)).losses) == 4


def test_what_is_not_a_number_ends_the_run_with_what_to_change(tmp_path):
    training = hyper_world.training_of(SETTINGS)
    with torch.no_grad():
        training.network.heads[0].scale_a.fill_(float("nan"))
    with pytest.raises(Ending) as ended:
        train(training, run_in(tmp_path))
    assert (ended.value.code, ended.value.reason) == (Exit.BAD_INPUT, "NotFinite")
    assert "hypernetwork.learningRate" in ended.value.message


def test_what_is_not_a_number_after_the_last_step_ends_the_run_in_the_same_words(tmp_path):
    training, told = hyper_world.training_of(SETTINGS), []
    with torch.no_grad():
        training.network.heads[0].scale_b.fill_(float("nan"))
    with pytest.raises(
        Ending, match=r"after step 1 of 6 heldOutLoss on held-out trajectories is nan.*hypernetwork.learningRate"
    ) as ended:
        look(training, Outcome([1.0]), lambda *_: told.append(1))
    assert (ended.value.code, ended.value.reason, told) == (Exit.BAD_INPUT, "NotFinite", [])


def test_every_epoch_has_every_trajectory_once_and_goes_on_to_its_next_questions():
    training = hyper_world.training_of(SETTINGS)
    lessons = training.lessons[:4]
    lessons[0] = dataclasses.replace(lessons[0], groups=lessons[0].groups * 3)
    drawn = [draw for step in range(6) for draw in draws_of(lessons, SETTINGS, step)]
    for epoch in range(6):
        part = drawn[4 * epoch : 4 * epoch + 4]
        assert sorted(lesson.number for lesson, _ in part) == sorted(lesson.number for lesson in lessons)
        assert next(which for lesson, which in part if lesson is lessons[0]) == epoch % 3
    assert [lesson.number for lesson, _ in drawn[:4]] != [lesson.number for lesson, _ in drawn[4:8]]


def test_the_rate_rises_and_falls_to_a_twentieth():
    assert [rate_at(step, 100, 1.0) for step in (0, 4, 9)] == pytest.approx([0.1 * 1.0, 0.5 * 0.96, 1.0 * 0.91])
    assert rate_at(99, 100, 1.0) == 0.05
    assert rate_at(99, 10_000, 1.0) == pytest.approx(0.99, abs=0.01)


def test_the_factors_of_layers_follow_the_base_s_activations():
    network = Hypernetwork(
        8, {"model.layers.0.mlp.down_proj": (4, 8), "model.layers.1.mlp.down_proj": (4, 8)}, hyper_world.settings_of()
    )
    network.set_scales({"model.layers.0.mlp.down_proj": 0.5, "model.layers.1.mlp.down_proj": 2.0})
    assert (network.heads[1].factors / network.heads[0].factors).item() == pytest.approx(4)


@pytest.mark.parametrize("precision", ["Float32", "BFloat16"])
def test_a_settled_network_says_the_same_pairs(precision):
    training = hyper_world.training_of(hyper_world.settings_of(precision=precision))
    features, mask, _ = training.encoder.batch([lesson.text for lesson in training.lessons[:2]])
    with torch.no_grad():
        for head in training.network.heads:
            head.scale_b.fill_(0.3)
        before = training.network(features, mask)
        after = training.network.settle()(features, mask)
    for path, pair in before.items():
        for one, other in zip(pair, after[path], strict=True):
            assert one.dtype == torch.float32
            assert torch.equal(one, other)


def test_a_run_in_half_precision_resumes_bit_for_bit_too(tmp_path):
    settings = hyper_world.settings_of(precision="BFloat16")
    whole, parts = hyper_world.training_of(settings), hyper_world.training_of(settings)
    wanted = train(whole, run_in(tmp_path / "whole"))
    with pytest.raises(Ending):
        train(parts, run_in(tmp_path / "parts", stop_after=2))
    assert train(hyper_world.training_of(settings), run_in(tmp_path / "parts")) == wanted

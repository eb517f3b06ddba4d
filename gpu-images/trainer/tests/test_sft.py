import dataclasses
import errno
import math
import pathlib
import resource
import signal

import pytest
import tiny
import torch
from safetensors import SafetensorError

from rune_trainer import adapter_io, checkpoint, sft
from rune_trainer.contract import ADAPTER_CONFIG, ADAPTER_WEIGHTS, Base, Exit
from rune_trainer.corpus import rows_of
from rune_trainer.errors import Ending
from rune_trainer.examples import Example, examples_of
from rune_trainer.model import add_lora, linear_shapes
from rune_trainer.settings import shape_of

SETTINGS = tiny.sft()
BASE = Base(path="/models/base", name="tiny", digest="sha256:" + "0" * 64)
ROWS = rows_of(
    [tiny.trajectory(n, [f"return {n}(x)"]) for n in ("pare", "hue", "weld", "mint", "fold", "gild")], ("Programs",)
)
EXAMPLES, _ = examples_of(tiny.tokenizer(), ROWS, 512)


def run_in(directory: pathlib.Path, stop_after: int | None = None, every: int = 100, identity: str = "one") -> sft.Run:
    done = []
    return sft.Run(
        directory, {"uid": identity}, every, lambda: stop_after is not None and len(done) >= stop_after, done.append
    )


def trained(run: sft.Run, settings=SETTINGS) -> tuple[sft.Outcome, adapter_io.Tensors]:
    model = add_lora(tiny.model(), settings)
    done = sft.train(model, EXAMPLES, settings, run)
    return done, adapter_io.weights_of(model, torch.float32)


def test_the_loss_falls(tmp_path):
    done, _ = trained(run_in(tmp_path))
    assert len(done.losses) == 6
    assert done.losses[-1] < done.losses[0]


@pytest.mark.parametrize("stop_after", [3, 4])
def test_a_run_that_was_stopped_and_resumed_equals_one_that_was_not(tmp_path, stop_after):
    wanted, whole = trained(run_in(tmp_path / "whole", every=2))
    with pytest.raises(Ending) as ended:
        trained(run_in(tmp_path / "parts", stop_after=stop_after, every=2))
    assert ended.value.code == Exit.TERMINATED
    done, parts = trained(run_in(tmp_path / "parts", every=2))
    assert done == wanted
    assert [look.step for look in done.looks] == [2, 4]
    assert all(look.measured["deltaWNorm"] > 0 for look in done.looks)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_stop_before_the_first_step_writes_nothing(tmp_path):
    with pytest.raises(Ending):
        trained(run_in(tmp_path, stop_after=0))
    assert list(tmp_path.iterdir()) == []


def test_the_two_newest_checkpoints_are_kept(tmp_path):
    trained(run_in(tmp_path, every=1))
    assert [p.name for p in checkpoint.newest_first(tmp_path)] == ["step-000000005", "step-000000004"]


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path):
    with pytest.raises(Ending):
        trained(run_in(tmp_path, stop_after=3, every=2))
    (tmp_path / "step-000000003" / checkpoint.TENSORS).write_bytes(b"half")
    newest = checkpoint.newest(tmp_path, {"uid": "one"})
    assert newest is not None and newest.step == 2


def test_a_checkpoint_of_another_run_is_not_used(tmp_path):
    with pytest.raises(Ending):
        trained(run_in(tmp_path, stop_after=3))
    assert checkpoint.newest(tmp_path, {"uid": "another"}) is None


def test_a_draft_left_by_a_crash_is_no_checkpoint_and_goes_with_the_next_one(tmp_path):
    draft = tmp_path / ".step-000000001.77"
    draft.mkdir()
    (draft / checkpoint.TENSORS).write_bytes(b"half")
    assert checkpoint.newest(tmp_path, {"uid": "one"}) is None
    checkpoint.save(tmp_path, {"uid": "one"}, checkpoint.State(2, {"a": torch.ones(1)}, [0.5]))
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000002"]


def test_checkpoints_of_other_settings_and_later_steps_do_not_displace_those_of_the_run(tmp_path):
    for step in (40, 50):
        checkpoint.save(tmp_path, {"uid": "before"}, checkpoint.State(step, {"a": torch.ones(1)}, []))
    with pytest.raises(Ending):
        trained(run_in(tmp_path, stop_after=3, every=2))
    newest = checkpoint.newest(tmp_path, {"uid": "one"})
    assert newest is not None and newest.step == 3
    assert [p.name for p in checkpoint.newest_first(tmp_path)] == ["step-000000003", "step-000000002"]


def test_a_full_volume_ends_the_run_with_what_to_change(tmp_path):
    """The limit on a file's size stands for a full volume: the file's bytes can't be written."""
    heed, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(Ending) as ended:
            checkpoint.save(tmp_path, {}, checkpoint.State(1, {"a": torch.ones(1000)}, []))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, heed)
    assert (ended.value.code, ended.value.reason) == (Exit.MISCONFIGURED, "CheckpointFailed")
    assert "check the size" in ended.value.message


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ESTALE, "Stale file handle"),
        SafetensorError("Error while serializing: I/O error: Input/output error (os error 5)"),
    ],
)
def test_an_error_of_the_volume_that_may_pass_is_worth_another_attempt(tmp_path, monkeypatch, error):
    def failing(*_):
        raise error

    monkeypatch.setattr(checkpoint, "save_file", failing)
    with pytest.raises(Ending) as ended:
        checkpoint.save(tmp_path, {}, checkpoint.State(1, {"a": torch.ones(1)}, []))
    assert (ended.value.code, ended.value.reason) == (1, "CheckpointFailed")


def test_a_checkpoint_that_can_t_be_read_now_is_not_taken_for_a_damaged_one(tmp_path, monkeypatch):
    checkpoint.save(tmp_path, {}, checkpoint.State(1, {"a": torch.ones(1)}, []))

    def failing(_):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(checkpoint, "file_sha256", failing)
    with pytest.raises(Ending, match="could not be read") as ended:
        checkpoint.newest(tmp_path, {})
    assert (ended.value.code, ended.value.reason) == (1, "CheckpointFailed")


def test_a_base_with_dropout_is_trained_without_it_so_that_equal_runs_are_equal(tmp_path):
    def losses(directory: pathlib.Path, dropout: float) -> list[float]:
        base = tiny.model()
        for layer in base.model.layers:
            layer.self_attn.attention_dropout = dropout
        return sft.train(add_lora(base, SETTINGS), EXAMPLES, SETTINGS, run_in(directory)).losses

    assert losses(tmp_path / "with", 0.5) == losses(tmp_path / "without", 0.0)


def test_a_run_goes_on_although_a_layer_that_it_trains_is_never_used(tmp_path):
    """As in a base with a part for images."""

    def train_in(stop_after: int | None) -> sft.Outcome:
        base = tiny.model()
        base.images = torch.nn.ModuleDict({"q_proj": torch.nn.Linear(4, 4)})
        model = add_lora(base.requires_grad_(False), SETTINGS)
        return sft.train(model, EXAMPLES, SETTINGS, run_in(tmp_path, stop_after=stop_after))

    with pytest.raises(Ending):
        train_in(stop_after=2)
    assert len(train_in(stop_after=None).losses) == 6


def test_equal_runs_give_equal_bytes(tmp_path):
    shapes = linear_shapes(tiny.model(), SETTINGS.target_modules)
    for name in ("one", "two"):
        adapter_io.write(
            tmp_path / name, BASE, shape_of(SETTINGS), trained(run_in(tmp_path / f"{name}-checkpoints"))[1], shapes
        )
    for file in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_divergence_ends_the_run_with_what_to_change(tmp_path):
    class Bad(torch.nn.Module):
        def forward(self, x):
            return x * math.nan

    model = add_lora(tiny.model(), SETTINGS)
    model.get_base_model().model.norm = Bad()
    with pytest.raises(Ending) as ended:
        sft.train(model, EXAMPLES, SETTINGS, run_in(tmp_path))
    assert (ended.value.code, ended.value.reason) == (Exit.BAD_INPUT, "NotFinite")
    assert "sft.learningRate" in ended.value.message


def test_a_module_that_the_base_lacks_is_refused():
    settings = tiny.sft(sft={**tiny.document()["sft"], "targetModules": ["q_proj", "in_proj"]})
    with pytest.raises(Ending, match="in_proj"):
        add_lora(tiny.model(), settings)


@pytest.mark.parametrize(
    ("examples", "size", "sizes"),
    [(7, 4, [3, 4]), (9, 4, [3, 3, 3]), (6, 2, [2, 2, 2]), (3, 8, [3]), (1, 1, [1]), (5, 1, [1] * 5)],
)
def test_an_epoch_visits_every_example_once_in_batches_of_nearly_one_size_and_in_an_order_of_its_own(
    examples, size, sizes
):
    settings = dataclasses.replace(SETTINGS, batch_size=size, epochs=2)
    some = [Example(str(n), (n,), (n,)) for n in range(examples)]
    every = list(sft.batches(some, settings))
    assert [len(b) for b in every] == sizes * 2
    assert len(every) == sft.total_steps(some, settings)
    first, second = [e for b in every[: len(sizes)] for e in b], [e for b in every[len(sizes) :] for e in b]
    assert sorted(e.head for e in first) == sorted(e.head for e in second) == [(n,) for n in range(examples)]
    assert examples < 5 or first != second


@pytest.mark.parametrize("size", [1, 2, 4])
def test_batches_from_a_step_on_are_the_rest_of_all_batches(size):
    settings = dataclasses.replace(SETTINGS, batch_size=size)
    every = list(sft.batches(EXAMPLES, settings))
    assert all(list(sft.batches(EXAMPLES, settings, step)) == every[step:] for step in range(len(every) + 1))


def test_a_run_that_was_stopped_within_an_epoch_of_unequal_batches_equals_one_that_was_not(tmp_path):
    settings = dataclasses.replace(SETTINGS, batch_size=4)
    wanted, whole = trained(run_in(tmp_path / "whole"), settings)
    with pytest.raises(Ending):
        trained(run_in(tmp_path / "parts", stop_after=3), settings)
    done, parts = trained(run_in(tmp_path / "parts"), settings)
    assert len(wanted.losses) == 4 and done == wanted
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_progress_counts_every_step_of_every_epoch_and_the_rate_falls_to_its_end(tmp_path):
    seen, settings = [], dataclasses.replace(SETTINGS, batch_size=4)
    sft.train(add_lora(tiny.model(), settings), EXAMPLES, settings, sft.Run(tmp_path, {}, 100, report=seen.append))
    assert [(p.step, p.total) for p in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [sft.rate_at(step, 4, 1.0) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]

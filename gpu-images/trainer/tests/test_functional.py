import peft
import pytest
import tiny
import torch

from rune_trainer.functional import applied, by_trajectory, joined, mean_of
from rune_trainer.model import linear_shapes

IDS = torch.arange(24).view(3, 8)


def random_pairs(model, modules, count: int, rank: int, seed: int = 0, scale: float = 0.3):
    torch.manual_seed(seed)
    return {
        path: (torch.randn(count, rank, i) * scale, torch.randn(count, rank, o) * scale)
        for path, (i, o) in linear_shapes(model, modules).items()
    }


def logits(model, ids=IDS):
    with torch.no_grad():
        return model(input_ids=ids).logits


def loaded(pairs, row: int):
    """The row's pair as PEFT applies it."""
    rank = next(iter(pairs.values()))[0].shape[1]
    model = peft.get_peft_model(
        tiny.model(), peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=tiny.MODULES, task_type="CAUSAL_LM")
    )
    with torch.no_grad():
        for path, (a, b) in pairs.items():
            layer = model.get_base_model().get_submodule(path)
            layer.lora_A["default"].weight.copy_(a[row])
            layer.lora_B["default"].weight.copy_(b[row].T)
    return model


def test_every_row_is_answered_with_its_own_pair_as_peft_would():
    model = tiny.model()
    pairs = random_pairs(model, tiny.MODULES, 3, 4)
    with applied(model, pairs):
        together = logits(model)
    for row in range(3):
        torch.testing.assert_close(
            together[row], logits(loaded(pairs, row), IDS[row : row + 1])[0], rtol=1e-4, atol=1e-4
        )


def test_rows_take_the_pair_of_their_owner():
    model = tiny.model()
    pairs = random_pairs(model, ["down_proj"], 2, 4)
    with applied(model, pairs, torch.tensor([1, 0, 1])):
        together = logits(model)
    with applied(model, {path: (a[1:], b[1:]) for path, (a, b) in pairs.items()}):
        torch.testing.assert_close(together[0], logits(model)[0], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(together[1], logits(model)[1])


def test_afterwards_the_model_is_as_before_even_when_something_failed():
    model = tiny.model()
    before = logits(model)
    with pytest.raises(ZeroDivisionError), applied(model, random_pairs(model, ["q_proj"], 3, 2)):
        raise ZeroDivisionError
    assert torch.equal(logits(model), before)


def test_gradients_reach_both_factors():
    model = tiny.model()
    pairs = {
        path: (a.requires_grad_(), b.requires_grad_())
        for path, (a, b) in random_pairs(model, ["v_proj", "up_proj"], 3, 2).items()
    }
    with applied(model, pairs):
        model(input_ids=IDS).logits.square().sum().backward()
    assert all(t.grad.abs().sum() > 0 for pair in pairs.values() for t in pair)


def test_single_precision_pairs_work_on_a_half_precision_base():
    model = tiny.model().to(torch.bfloat16)
    with applied(model, random_pairs(model, tiny.MODULES, 3, 4)):
        assert logits(model).dtype == torch.bfloat16


def deltas(pairs):
    return {path: torch.einsum("nri,nro->noi", a, b) for path, (a, b) in pairs.items()}


def test_joining_along_the_rank_is_the_exact_sum():
    model = tiny.model()
    one, other = random_pairs(model, tiny.MODULES, 3, 4, 1), random_pairs(model, tiny.MODULES, 3, 2, 2)
    for path, delta in deltas(joined([one, other])).items():
        torch.testing.assert_close(delta, deltas(one)[path] + deltas(other)[path])


def test_chunks_of_a_trajectory_are_summed_and_a_shorter_one_is_filled_with_nothing():
    model = tiny.model()
    chunks = random_pairs(model, ["down_proj"], 4, 2)
    for path, delta in deltas(by_trajectory(chunks, [1, 3])).items():
        each = deltas(chunks)[path]
        torch.testing.assert_close(delta, torch.stack([each[0], each[1:].sum(0)]))


def test_the_mean_adapter_is_the_mean_of_the_changes():
    model = tiny.model()
    pairs = random_pairs(model, ["down_proj"], 3, 2)
    for path, delta in deltas(mean_of(pairs)).items():
        torch.testing.assert_close(delta[0], deltas(pairs)[path].mean(0))

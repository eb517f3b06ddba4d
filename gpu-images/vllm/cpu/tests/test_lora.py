import pytest
import torch

from rune_vllm_cpu import lora

RANK, INPUTS, OUTPUTS, SLOTS = 4, 6, 8, 3


@pytest.fixture
def stacked():
    torch.manual_seed(0)
    return torch.randn(SLOTS, 1, RANK, INPUTS), torch.randn(SLOTS, 1, OUTPUTS, RANK)


def expected(inputs, a, b, indices, scaling):
    """Token by token, as LoRA is defined."""
    rows = [
        scaling * b[i, 0] @ (a[i, 0] @ x) if i >= 0 else torch.zeros(OUTPUTS)
        for x, i in zip(inputs, indices.tolist(), strict=True)
    ]
    return torch.stack(rows)


@pytest.mark.parametrize("indices", [[0, 1, -1, 2, 0], [1, 1, 1, 1, 1], [-1, -1, -1, -1, -1], [2, -1, 2, -1, 2]])
def test_every_token_gets_its_own_adapter_and_tokens_without_one_are_left_alone(stacked, indices):
    a, b = stacked
    inputs, slots, output = torch.randn(5, INPUTS), torch.tensor(indices), torch.randn(5, OUTPUTS)
    before, between = output.clone(), torch.full((5, RANK), 9.0)
    lora.bgmv_shrink(inputs, a, between, slots, 2.0)
    lora.bgmv_expand(between, b, output, slots, add_inputs=True)
    torch.testing.assert_close(output, before + expected(inputs, a, b, slots, 2.0))


def test_a_token_without_adapter_never_reads_the_last_slot(stacked):
    a, b = stacked
    a[-1], b[-1] = float("nan"), float("nan")
    output = torch.ones(2, OUTPUTS)
    between = torch.empty(2, RANK)
    lora.bgmv_shrink(torch.randn(2, INPUTS), a, between, torch.tensor([-1, 0]))
    lora.bgmv_expand(between, b, output, torch.tensor([-1, 0]))
    assert torch.equal(output[0], torch.ones(OUTPUTS))
    assert torch.isfinite(output).all()


def test_a_slice_changes_only_its_columns(stacked):
    _, b = stacked
    output = torch.zeros(3, 20)
    lora.bgmv_expand_slice(torch.randn(3, RANK), b, output, torch.tensor([0, 1, 2]), 10, OUTPUTS)
    assert output[:, 10:18].abs().sum() > 0
    assert output[:, :10].abs().sum() == output[:, 18:].abs().sum() == 0


def test_prefill_gives_the_tokens_of_a_sequence_its_slot(stacked):
    a, _ = stacked
    inputs, slots, lengths = torch.randn(5, INPUTS), torch.tensor([2, 0]), torch.tensor([3, 2])
    output, alone = torch.zeros(5, RANK), torch.zeros(5, RANK)
    lora.per_token(lora.bgmv_shrink)(inputs, a, output, torch.tensor([0, 3]), lengths, slots, 2, 3, 5, 1.0)
    lora.bgmv_shrink(inputs, a, alone, torch.tensor([2, 2, 2, 0, 0]))
    assert torch.equal(output, alone)

import types

import pytest
import torch

from rune_vllm_cpu import lora

RANK, INPUTS, OUTPUTS, SLOTS = 4, 6, 8, 3


@pytest.fixture(autouse=True)
def forgotten():
    lora.new_step()
    lora.held.clear()


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


class Layer:
    """As vLLM's: two slices, and slots that are set and reset."""

    def __init__(self):
        self.lora_a_stacked = tuple(torch.zeros(SLOTS, 1, RANK, INPUTS) for _ in range(2))
        self.lora_b_stacked = tuple(torch.zeros(SLOTS, 1, OUTPUTS, RANK) for _ in range(2))

    def reset_lora(self, index):
        for weights in (*self.lora_a_stacked, *self.lora_b_stacked):
            weights[index] = 0

    def set_lora(self, index, part):
        self.reset_lora(index)
        self.lora_a_stacked[part][index], self.lora_b_stacked[part][index] = 1.0, 1.0


def test_a_slot_whose_adapter_does_not_change_a_layer_is_left_out_until_one_does():
    layers = types.ModuleType("layers")
    vars(layers)["Layer"] = Layer
    lora.note_changes(layers)
    lora.note_changes(layers)
    layer, slots = Layer(), torch.tensor([0, 1, 2])

    def used():
        return [[slot for slot, _ in lora.used(a, slots)] for a in layer.lora_a_stacked]

    assert used() == [[0, 1, 2]] * 2, "what isn't known may have values"
    for index in range(SLOTS):
        layer.reset_lora(index)
    assert used() == [[], []]
    layer.set_lora(1, 0)
    assert used() == [[1], []]
    output, between = torch.zeros(3, OUTPUTS), torch.full((3, RANK), 9.0)
    lora.bgmv_shrink(torch.ones(3, INPUTS), layer.lora_a_stacked[0], between, slots)
    lora.bgmv_expand(between, layer.lora_b_stacked[0], output, slots)
    assert output[1].tolist() == [INPUTS * RANK] * OUTPUTS and output[[0, 2]].abs().sum() == 0
    layer.set_lora(1, 1)
    assert used() == [[], [1]]


def test_nothing_is_left_out_of_a_layer_that_sets_slots_in_a_way_of_its_own():
    layers = types.ModuleType("layers")
    vars(layers)["Layer"] = Layer
    lora.note_changes(layers)

    class Later(Layer):
        def set_lora(self, index, part):
            self.reset_lora(index)
            self.lora_a_stacked[part][index] = 1.0

    layer = Later()
    layer.set_lora(0, 0)
    assert [slot for slot, _ in lora.used(layer.lora_a_stacked[0], torch.tensor([0]))] == [0]


def test_the_next_step_has_its_own_tokens_in_the_same_tensors(stacked):
    a, _ = stacked
    inputs, slots, lengths = torch.randn(4, INPUTS), torch.tensor([0, 1]), torch.tensor([2, 2])
    of_sequences, rest = lora.per_token(lora.bgmv_shrink), (torch.tensor([0, 2]), lengths, slots, 2, 2, 4, 1.0)
    first, second, alone = (torch.zeros(4, RANK) for _ in range(3))
    of_sequences(inputs, a, first, *rest)
    slots.copy_(torch.tensor([2, -1]))
    lora.new_step()
    of_sequences(inputs, a, second, *rest)
    lora.bgmv_shrink(inputs, a, alone, torch.tensor([2, 2, -1, -1]))
    assert torch.equal(second, alone) and not torch.equal(first, second)


def test_neighbours_are_a_slice_and_others_are_not():
    rows = dict(lora.groups(torch.tensor([1, 1, 0, 2, 0])))
    assert rows[1] == slice(0, 2) and rows[2] == slice(3, 4)
    assert isinstance(rows[0], torch.Tensor) and rows[0].tolist() == [2, 4]

import dataclasses

import pytest
import tiny
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    FalconMambaConfig,
    GPT2Config,
    JambaConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
)

from rune_trainer.examples import Example
from rune_trainer.grouping import MOST_LOGITS, PACK_TOKENS, Grouping, attends_to_all, length, packs_well
from rune_trainer.packing import pack

HALF = Grouping(True, 151_936, 358e6, 3.5 * 896 * 24, 24 * 5e8)
"""A base of 0.5B on CPUs."""


def example(shared: int, own: int, learnt: int, number: int) -> Example:
    return Example("", (*range(shared), *[1000 * number + n for n in range(1, own + 1)]), (7,) * learnt)


@pytest.mark.parametrize(
    ("config", "well"),
    [
        (Qwen2Config(), True),
        (Qwen2Config(use_sliding_window=True, sliding_window=8, max_window_layers=0), False),
        (MistralConfig(sliding_window=4096), False),
        (MistralConfig(sliding_window=None), True),
        (LlamaConfig(), True),
    ],
)
def test_examples_share_a_sequence_only_where_no_layer_has_a_window_that_the_mask_would_replace(config, well):
    assert attends_to_all(config) is well


SMALL = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
RECURRENT = {**SMALL, "intermediate_size": 48, "use_mamba_kernels": False}


@pytest.mark.parametrize(
    ("config", "well"),
    [
        (LlamaConfig(**SMALL, intermediate_size=48), True),
        (GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4), True),
        (BloomConfig(vocab_size=64, hidden_size=32, n_layer=2, n_head=4), False),
        (
            JambaConfig(**RECURRENT, num_key_value_heads=2, num_experts=2, attn_layer_period=2, attn_layer_offset=1),
            False,
        ),
        (FalconMambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2), False),
    ],
    ids=lambda value: getattr(value, "model_type", str(value)),
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_examples_share_a_sequence_only_where_that_changes_no_output(config, well, dtype):
    torch.manual_seed(0)
    assert packs_well(AutoModelForCausalLM.from_config(config, dtype=dtype).eval()) is well


def test_what_a_base_costs_is_that_of_its_layers_without_the_head():
    grouping = Grouping.of(tiny.model())
    config = tiny.model().config
    layer = 32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 48  # queries, keys and values, output, and the MLP
    assert (grouping.together, grouping.vocabulary) == (True, config.vocab_size)
    assert grouping.per_token == config.num_hidden_layers * layer


def test_the_length_of_a_group_is_that_of_its_sequence():
    group = [example(50, 10, 20, number) for number in range(1, 4)]
    assert length(group) == pack(group).input_ids.shape[1] == 50 + 3 * 30


@pytest.mark.parametrize(
    ("shared", "own", "groups"),
    [(60, 15, 1), (500, 50, 1), (0, 30, 1), (0, 700, 4), (30, 700, 4)],
    ids=["short prompts", "a long beginning", "short and unlike", "long and unlike", "long, a short beginning"],
)
def test_examples_share_a_sequence_where_that_is_cheaper(shared, own, groups):
    assert len(HALF.groups([example(shared, own, 20, number) for number in range(1, 5)])) == groups


def test_a_gpu_which_short_sequences_leave_idle_computes_long_unlike_ones_together():
    gpu = dataclasses.replace(HALF, per_sequence=24 * 1e11)
    assert len(gpu.groups([example(0, 700, 20, number) for number in range(1, 5)])) == 1


def test_a_group_has_limits_of_its_length_and_of_its_outputs_and_one_example_stays_whole():
    free = dataclasses.replace(HALF, per_pair=0.0)
    groups = free.groups([example(0, 3000, 20, number) for number in range(1, 5)])
    assert [len(group) for group in groups] == [2, 2] and max(map(length, groups)) <= PACK_TOKENS
    learning = [example(60, 15, MOST_LOGITS // HALF.vocabulary, number) for number in range(1, 3)]
    assert [len(group) for group in HALF.groups(learning)] == [1, 1]


def test_a_base_that_does_not_allow_it_gets_one_example_at_a_time():
    alone = dataclasses.replace(HALF, together=False)
    assert len(alone.groups([example(60, 15, 20, number) for number in range(1, 5)])) == 4

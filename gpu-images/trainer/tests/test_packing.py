import dataclasses

import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM, BloomConfig, FalconMambaConfig, GPT2Config, JambaConfig, LlamaConfig, MistralConfig, Qwen2Config

from rune_trainer import sft
from rune_trainer.corpus import rows_of
from rune_trainer.examples import examples_of
from rune_trainer.model import add_lora, trainable
from rune_trainer.packing import MOST_LOGITS, attends_to_all, pack, packs_of, packs_well

SETTINGS = tiny.sft()
EXAMPLES, _ = examples_of(
    tiny.tokenizer(),
    rows_of([tiny.trajectory(n, ["return x", f"return {n}(x)"]) for n in ("pare", "hue")], ("Programs",)),
    512,
)


def gradients(together: bool) -> tuple[float, dict[str, torch.Tensor]]:
    model = add_lora(tiny.model(), SETTINGS)
    torch.manual_seed(1)
    for p in trainable(model).values():
        torch.nn.init.normal_(p, std=0.1)
    loss = sft.batch_loss(model, EXAMPLES, together)
    return loss, {name: p.grad for name, p in trainable(model).items()}


def test_packed_examples_give_the_loss_and_the_gradients_of_separate_ones():
    packed_loss, packed = gradients(together=True)
    separate_loss, separate = gradients(together=False)
    assert abs(packed_loss - separate_loss) < 1e-5
    for name, gradient in packed.items():
        torch.testing.assert_close(gradient, separate[name], atol=1e-5, rtol=1e-3)


def test_the_common_beginning_is_there_once():
    packed = pack(EXAMPLES)
    assert packed.input_ids.shape[1] < 0.6 * sum(map(len, EXAMPLES))
    assert packed.position_ids.max().item() == max(map(len, EXAMPLES)) - 1


def test_a_token_sees_the_prefix_and_its_own_example_only():
    packed = pack(EXAMPLES[:2])
    assert packed.mask is not None
    last = packed.mask[0, 0, -1]
    assert last.sum().item() == len(EXAMPLES[1])


def test_a_single_example_needs_no_mask():
    assert pack(EXAMPLES[:1]).mask is None


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
        (JambaConfig(**RECURRENT, num_key_value_heads=2, num_experts=2, attn_layer_period=2, attn_layer_offset=1), False),
        (FalconMambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2), False),
    ],
    ids=lambda value: getattr(value, "model_type", str(value)),
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_examples_share_a_sequence_only_where_that_changes_no_output(config, well, dtype):
    torch.manual_seed(0)
    assert packs_well(AutoModelForCausalLM.from_config(config, dtype=dtype).eval()) is well


def test_a_batch_that_is_too_long_is_split():
    assert len(next(iter(packs_of(EXAMPLES * 40, together=True, vocabulary=264)))) < 240
    assert all(len(group) == 1 for group in packs_of(EXAMPLES, together=False, vocabulary=264))


def test_a_batch_with_too_many_outputs_at_once_is_split_and_a_single_example_stays_whole():
    learning = [dataclasses.replace(example, tail=example.tail * 4) for example in EXAMPLES]
    tails = sum(len(example.tail) for example in learning)
    assert packs_of(learning, together=True, vocabulary=MOST_LOGITS // tails) == [learning]
    assert all(len(group) == 1 for group in packs_of(learning, together=True, vocabulary=MOST_LOGITS))

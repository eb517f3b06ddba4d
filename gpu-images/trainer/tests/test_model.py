"""Which layers of a base get a pair, and which names are refused before anything is trained."""

import pytest
import tiny
import torch

from rune_trainer.errors import Ending
from rune_trainer.model import linear_shapes, target_shapes, trainable, with_lora
from rune_trainer.settings import Shape


@pytest.mark.parametrize("section", ["sft", "hypernetwork"])
def test_a_module_outside_the_numbered_layers_is_refused(section):
    with pytest.raises(Ending) as ended:
        target_shapes(tiny.model(), ("down_proj", "lm_head"), section)
    assert f"{section}.targetModules names lm_head, outside the base's numbered layers" in ended.value.message


def with_fused_experts():
    from transformers import Glm4MoeConfig, Glm4MoeForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "moe_intermediate_size": 16, "head_dim": 8, "vocab_size": 64}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    experts = {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1, "first_k_dense_replace": 1}
    return Glm4MoeForCausalLM(Glm4MoeConfig(num_hidden_layers=2, **sizes, **heads, **experts))


def test_modules_that_peft_moves_to_fused_experts_are_refused_and_others_are_adapted():
    with pytest.raises(Ending) as ended:
        with_lora(with_fused_experts(), Shape(4, 4, ("down_proj", "q_proj")))
    assert "targetModules names down_proj" in ended.value.message and "experts are fused" in ended.value.message
    base = with_fused_experts()
    wanted = linear_shapes(base, ("q_proj", "v_proj"))
    assert len(trainable(with_lora(base, Shape(4, 4, ("q_proj", "v_proj"))))) == 2 * len(wanted) == 8

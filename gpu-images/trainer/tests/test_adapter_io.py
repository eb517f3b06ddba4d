import json

import pytest
import tiny
import torch

from rune_trainer import adapter_io
from rune_trainer.contract import ADAPTER_CONFIG, Base
from rune_trainer.errors import Ending
from rune_trainer.model import add_lora, linear_shapes, trainable
from rune_trainer.settings import shape_of

SETTINGS = tiny.sft()
BASE = Base(path="/models/base", name="tiny", digest="sha256:" + "0" * 64)
SHAPES = linear_shapes(tiny.model(), SETTINGS.target_modules)


def weights() -> adapter_io.Tensors:
    model = add_lora(tiny.model(), SETTINGS)
    for p in trainable(model).values():
        torch.nn.init.normal_(p, std=0.1)
    return adapter_io.weights_of(model, torch.float32)


def test_keys_and_shapes_are_those_that_vllm_reads():
    tensors = weights()
    assert tensors["base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"].shape == (4, 32)
    assert tensors["base_model.model.model.layers.1.mlp.down_proj.lora_B.weight"].shape == (32, 4)
    assert adapter_io.problem_of(tensors, SHAPES, 4) is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t, k: t.pop(k), "missing or unknown"),
        (lambda t, k: t.update({k: t[k][:2]}), "the base needs (4, 32)"),
        (lambda t, k: t.update({k: t[k] * float("nan")}), "NaN or infinity"),
        (lambda t, k: t.update({n: torch.zeros_like(v) for n, v in t.items() if "lora_B" in n}), "every B is zero"),
    ],
)
def test_weights_that_would_harm_an_engine_are_never_written(tmp_path, spoil, said):
    tensors = weights()
    spoil(tensors, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight")
    with pytest.raises(Ending) as ended:
        adapter_io.write(tmp_path / "out", BASE, shape_of(SETTINGS), tensors, SHAPES)
    assert said in ended.value.message
    assert not (tmp_path / "out").exists()


def test_peft_loads_the_files_and_answers_as_the_trained_model(tmp_path):
    from peft import PeftModel

    model = add_lora(tiny.model(), SETTINGS)
    for p in trainable(model).values():
        torch.nn.init.normal_(p, std=0.1)
    adapter_io.write(tmp_path, BASE, shape_of(SETTINGS), adapter_io.weights_of(model, torch.float32), SHAPES)
    loaded = PeftModel.from_pretrained(tiny.model(), tmp_path)
    ids = torch.tensor([[1, 2, 3]])
    assert torch.allclose(model(ids).logits, loaded(ids).logits, atol=1e-6)
    assert not torch.allclose(tiny.model()(ids).logits, loaded(ids).logits, atol=1e-3)


def test_the_config_names_the_base_by_digest_and_nothing_that_vllm_does_not_read(tmp_path):
    adapter_io.write(tmp_path, BASE, shape_of(SETTINGS), weights(), SHAPES)
    config = json.loads((tmp_path / ADAPTER_CONFIG).read_bytes())
    assert config["base_model_name_or_path"] == f"tiny@{BASE.digest}"
    assert (config["r"], config["lora_alpha"], config["modules_to_save"], config["bias"]) == (4, 8, None, "none")
    assert "rank_pattern" not in config


def test_the_norm_is_that_of_the_product():
    tensors = {"m.lora_A.weight": torch.randn(2, 5), "m.lora_B.weight": torch.randn(3, 2)}
    expected = torch.linalg.norm(2.0 * tensors["m.lora_B.weight"] @ tensors["m.lora_A.weight"]).item()
    assert adapter_io.delta_norm(tensors, 2.0) == pytest.approx(expected, rel=1e-5)

import dataclasses

import tiny
import torch

from rune_trainer import sft
from rune_trainer.examples import Example
from rune_trainer.grouping import Grouping, outputs
from rune_trainer.model import add_lora, load_base, trainable

SETTINGS = dataclasses.replace(tiny.sft(), quantization="NF4", precision="BFloat16")
EXAMPLES = [Example("", (1, 2, 3, 4), (5, 6, 7)), Example("", (1, 2, 8), (9, 10))]
TOGETHER = Grouping(True, 264, 1.0, 0.0, 0.0)


def gradients(directory: str, passes_without: int) -> dict[str, torch.Tensor]:
    model = add_lora(load_base(directory, SETTINGS, torch.device("cpu")), SETTINGS)
    for _ in range(passes_without):
        outputs(model, EXAMPLES)
    torch.manual_seed(1)
    for p in trainable(model).values():
        torch.nn.init.normal_(p, std=0.1)
    sft.batch_loss(model, EXAMPLES, TOGETHER)
    return {name: p.grad for name, p in trainable(model).items()}


def test_gradients_reach_every_layer_of_a_base_in_four_bits_that_has_computed_without_them(tmp_path):
    tiny.model_directory(tmp_path)
    wanted, found = gradients(str(tmp_path), 0), gradients(str(tmp_path), 1)
    assert wanted and all(gradient.abs().max() > 0 for gradient in wanted.values())
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient)

import dataclasses

import tiny
import torch

from rune_trainer import sft
from rune_trainer.corpus import rows_of
from rune_trainer.examples import examples_of
from rune_trainer.grouping import Grouping
from rune_trainer.model import add_lora, trainable
from rune_trainer.packing import pack

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
    grouping = dataclasses.replace(Grouping.of(model), together=together)
    assert len(grouping.groups(EXAMPLES)) == (1 if together else len(EXAMPLES))
    loss = sft.batch_loss(model, EXAMPLES, grouping)
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

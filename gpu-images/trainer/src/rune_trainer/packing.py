"""Several examples as one sequence that contains their common beginning once.

Sessions share their system message and much of their prompt. A batch becomes one row: the longest common prefix of
its prompts, then each example's rest. Positions continue from the prefix in every rest, and a rest attends to the
prefix and to itself, so each token sees exactly what it would see alone: the same loss and gradients without the
padding
and without computing the prefix once per example (a third of the tokens of a batch of four in the quickstart).
"""

import os
from dataclasses import dataclass
from typing import Any

import torch

from rune_trainer.examples import Example


@dataclass(frozen=True)
class Packed:
    """Tensors of one batch; B = 1, T = tokens, K = tokens to learn."""

    input_ids: torch.Tensor
    """(1, T) int64"""
    position_ids: torch.Tensor
    """(1, T) int64"""
    mask: torch.Tensor | None
    """(1, 1, T, T) bool, True where the row's token sees the column's; None for one example, which is plainly causal"""
    predict_at: torch.Tensor
    """(K,) index of the token whose output predicts a token to learn"""
    targets: torch.Tensor
    """(K,) int64"""

    def inputs(self, device: torch.device) -> dict[str, Any]:
        return {
            "input_ids": self.input_ids.to(device),
            "position_ids": self.position_ids.to(device),
            "attention_mask": None if self.mask is None else self.mask.to(device),
            "logits_to_keep": self.predict_at.to(device),
        }


def shared_by(examples: list[Example]) -> int:
    """Tokens of the longest common beginning of their prompts; each rest keeps the prompt's last token, which predicts."""
    return len(os.path.commonprefix([e.head[:-1] for e in examples]))  # noqa: RUF071 (of lists of tokens, not of paths)


def pack(examples: list[Example]) -> Packed:
    shared = shared_by(examples)
    ids, positions, owner, predict_at, targets = (
        list(examples[0].head[:shared]),
        list(range(shared)),
        [0] * shared,
        list[int](),
        list[int](),
    )
    for number, example in enumerate(examples, start=1):
        rest = (*example.head, *example.tail)[shared:]
        first = len(ids) + len(example.head) - shared
        predict_at += range(first - 1, first - 1 + len(example.tail))
        targets += example.tail
        ids += rest
        positions += range(shared, shared + len(rest))
        owner += [number] * len(rest)
    belongs = torch.tensor(owner)
    sees = (belongs[:, None] == belongs[None, :]) | (belongs == 0)[None, :]
    causal = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
    mask = (sees & causal)[None, None] if len(examples) > 1 else None
    return Packed(torch.tensor([ids]), torch.tensor([positions]), mask, torch.tensor(predict_at), torch.tensor(targets))

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
from rune_trainer.model import vocabulary_of

PACK_TOKENS = 8192
"""Longest packed sequence; a larger batch is accumulated over several, with the same gradient."""
MOST_LOGITS = 1 << 28
"""Most outputs at once (learnt tokens × vocabulary): 1 GiB in single precision. One example may have more."""
PROBES = (Example("", (3, 5, 7, 11), (13, 17)), Example("", (3, 5, 7, 19, 23), (29, 31, 37)))
"""Two short examples with a common beginning."""
TOLERANCE, TOLERANCE_OF_HALF = 1e-3, 0.05
"""Most that packing may change the outputs, relative to their spread: in single precision, and in others, which round."""


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


def pack(examples: list[Example]) -> Packed:
    # Each rest keeps the prompt's last token, which predicts.
    shared = len(os.path.commonprefix([e.head[:-1] for e in examples]))  # noqa: RUF071 (of lists of tokens, not of paths)
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


def packs_of(batch: list[Example], together: bool, vocabulary: int) -> list[list[Example]]:
    """The batch in groups that fit one sequence each."""
    groups: list[list[Example]] = []
    for example in batch:
        if together and groups and fits([*groups[-1], example], vocabulary):
            groups[-1].append(example)
        else:
            groups.append([example])
    return groups


def fits(group: list[Example], vocabulary: int) -> bool:
    return sum(map(len, group)) <= PACK_TOKENS and sum(len(e.tail) for e in group) * vocabulary <= MOST_LOGITS


def packs_well(model: Any) -> bool:
    """Whether the base's outputs for a packed sequence are those for its examples alone, so that they may share one.

    A window is known by the config, because it would not show in a short sequence. All else (recurrent layers, positions
    that don't come from `position_ids`) is tried with two examples: no field of a config says it for every architecture.
    """
    if not attends_to_all(model.config.get_text_config()):
        return False
    alone = torch.cat([outputs(model, [example]) for example in PROBES])
    try:
        packed = outputs(model, list(PROBES))
    except (RuntimeError, TypeError, ValueError):  # layers that take no such mask
        return False
    change, spread = (packed - alone).float().norm(), (alone - alone.mean(-1, keepdim=True)).float().norm()
    return bool(change <= spread * (TOLERANCE if alone.dtype == torch.float32 else TOLERANCE_OF_HALF))


def attends_to_all(config: Any) -> bool:
    """Whether no layer of this config has a window, or another way than attention to what was before."""
    kinds = getattr(config, "layer_types", None)
    if not kinds:  # a window is then that of every layer, unless a switch beside it is off
        return not (getattr(config, "use_sliding_window", True) and getattr(config, "sliding_window", None))
    return set(kinds) == {"full_attention"} and not getattr(config, "use_sliding_window", False)


@torch.no_grad()
def outputs(model: Any, examples: list[Example]) -> torch.Tensor:
    """(K, V)"""
    within = vocabulary_of(model)
    fitting = [Example("", tuple(t % within for t in e.head), tuple(t % within for t in e.tail)) for e in examples]
    return model(**pack(fitting).inputs(model.device), use_cache=False).logits[0]

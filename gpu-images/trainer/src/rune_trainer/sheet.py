"""Examples of several trajectories as one batch for the base, and its outputs at the learnt tokens alone.

If the base allows it (`packs_well`), the examples of one trajectory are one row that contains their common beginning
once (packing.py), including a trajectory in the teacher's prompt; otherwise each example is a row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from rune_trainer.examples import Example
from rune_trainer.grouping import MOST_LOGITS
from rune_trainer.packing import Packed, pack

SHEET_TOKENS = 2048
"""Most tokens per batch, padding included; more are several batches whose gradients add up.
(A token of a 0.5B base needs 1.5 MB for its gradient.)
"""


@dataclass(frozen=True)
class Sheet:
    """R rows of S tokens, K of them to learn, in the order of the examples."""

    input_ids: torch.Tensor
    """(R, S)"""
    position_ids: torch.Tensor
    """(R, S)"""
    mask: torch.Tensor | None
    """(R, 1, S, S) bool; None where every row is plainly causal.
    Padding is at the end of a row, so no token sees it.
    """
    owner: torch.Tensor
    """(R,) number of the row's trajectory"""
    rows: torch.Tensor
    """(K,) row of the token whose output predicts a token to learn"""
    columns: torch.Tensor
    """(K,) its place in that row"""
    targets: torch.Tensor
    """(K,)"""


def sheet_of(groups: list[list[Example]], together: bool, device: torch.device) -> Sheet:
    """`groups[n]` are the examples of trajectory n."""
    owned = [(n, pack(g)) for n, group in enumerate(groups) for g in ([group] if together else [[e] for e in group])]
    packs, longest = [p for _, p in owned], max(p.input_ids.shape[1] for _, p in owned)
    plain = all(p.mask is None for p in packs)
    return Sheet(
        input_ids=padded([p.input_ids[0] for p in packs]).to(device),
        position_ids=padded([p.position_ids[0] for p in packs]).to(device),
        mask=None if plain else torch.stack([mask_of(p, longest) for p in packs])[:, None].to(device),
        owner=torch.tensor([n for n, _ in owned], device=device),
        rows=torch.cat([torch.full_like(p.predict_at, row) for row, p in enumerate(packs)]).to(device),
        columns=torch.cat([p.predict_at for p in packs]).to(device),
        targets=torch.cat([p.targets for p in packs]).to(device),
    )


def padded(rows: list[torch.Tensor]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def mask_of(packed: Packed, longest: int) -> torch.Tensor:
    """(S, S); padding attends to itself, so that its attention isn't NaN."""
    length = packed.input_ids.shape[1]
    mask = torch.ones(longest, longest, dtype=torch.bool).tril()
    if packed.mask is not None:
        mask[:length, :length] = packed.mask[0, 0]
    return mask


def logits_at(model: Any, sheet: Sheet) -> torch.Tensor:
    """(K, V) in single precision: the base's outputs for the tokens to learn. The head runs at those places alone."""

    def only_learnt(_head: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (arguments[0][sheet.rows, sheet.columns][None], *arguments[1:])

    handle = model.get_output_embeddings().register_forward_pre_hook(only_learnt)
    try:
        inputs = {"input_ids": sheet.input_ids, "position_ids": sheet.position_ids, "attention_mask": sheet.mask}
        return model(**inputs, use_cache=False).logits[0].float()
    finally:
        handle.remove()


def portions(groups: list[list[Example]], vocabulary: int) -> Iterator[tuple[int, int]]:
    """(first, end) of the trajectories of each batch that fits in memory, all of them in order."""
    first, longest, learnt = 0, 0, 0
    for number, group in enumerate(groups):
        length, tails = sum(map(len, group)), sum(len(e.tail) for e in group)
        over = max(longest, length) * (number + 1 - first) > SHEET_TOKENS or (learnt + tails) * vocabulary > MOST_LOGITS
        if over and number > first:
            yield first, number
            first, longest, learnt = number, 0, 0
        longest, learnt = max(longest, length), learnt + tails
    yield first, len(groups)

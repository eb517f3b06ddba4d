"""Generated pairs → the tensors of an adapter as PEFT and vLLM read it, and back. The scale is in B, so alpha equals rank."""

import torch

from rune_trainer import adapters
from rune_trainer.adapter_io import Tensors
from rune_trainer.delta import Pair
from rune_trainer.functional import Pairs


def tensors_from(pairs: Pairs, row: int, dtype: torch.dtype) -> Tensors:
    """The adapter of one row: A (rank, inputs), B (outputs, rank)."""
    return adapters.tensors_of(
        {path: Pair(a[row].detach(), b[row].detach().T) for path, (a, b) in pairs.items()}, dtype
    )


def pairs_from(tensors: Tensors, device: torch.device) -> Pairs:
    """One row (N = 1) of a written adapter, rounded as in the files."""
    pairs = adapters.pairs_of(tensors, 1.0)
    return {path: (pair.a[None].to(device), pair.b.T[None].to(device)) for path, pair in pairs.items()}

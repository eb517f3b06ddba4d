"""LoRA whose weights are an input: each row of a batch has its own pair, and gradients reach A and B.

The base isn't modified. Hooks on its target layers add `(x Aᵀ) B` to a layer's output and are removed at the end,
so the same model encodes, teaches and answers in turn. Any linear layer works, also quantized ones.
"""

import contextlib
from collections.abc import Generator
from typing import Any

import torch

Pair = tuple[torch.Tensor, torch.Tensor]
"""A (N, r, inputs) and B (N, r, outputs), as rows of one rank each: ΔW = Bᵀ A. N is 1 for a pair that all rows share."""
Pairs = dict[str, Pair]
"""Path of a linear layer → its pairs."""


@contextlib.contextmanager
def applied(model: Any, pairs: Pairs, owner: torch.Tensor | None = None) -> Generator[None, None, None]:
    """Within it the model runs with the adapters. `owner` (R,) is the index of the pair for each of a batch's R rows;
    without it, row n uses pair n.
    """
    handles = []
    try:
        for path, (a, b) in pairs.items():
            chosen = (a, b) if owner is None else (a[owner], b[owner])
            handles.append(model.get_submodule(path).register_forward_hook(adding(*chosen)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def adding(a: torch.Tensor, b: torch.Tensor) -> Any:
    def hook(_layer: Any, arguments: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        inputs = arguments[0]
        return output + (inputs @ a.to(inputs.dtype).transpose(1, 2)) @ b.to(output.dtype)

    return hook


def joined(parts: list[Pairs]) -> Pairs:
    """The exact sum of several adapters of the same layers: their ranks concatenated."""
    return {
        path: (torch.cat([p[path][0] for p in parts], 1), torch.cat([p[path][1] for p in parts], 1))
        for path in parts[0]
    }


def rows_of(parts: list[Pairs]) -> Pairs:
    """The rows of all parts, one after the other; their ranks must be equal."""
    return {path: (torch.cat([p[path][0] for p in parts]), torch.cat([p[path][1] for p in parts])) for path in parts[0]}


def by_trajectory(pairs: Pairs, counts: list[int]) -> Pairs:
    """Pairs of chunks (C, r, …) → pairs of trajectories (N, r · most chunks, …); trajectory n has the next `counts[n]` chunks, and zeros after them."""
    if all(count == 1 for count in counts):
        return pairs
    return {path: (stacked(a, counts), stacked(b, counts)) for path, (a, b) in pairs.items()}


def stacked(rows: torch.Tensor, counts: list[int]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence([part.flatten(0, 1) for part in rows.split(counts)], batch_first=True)


def detached(pairs: Pairs) -> Pairs:
    """Detached leaves, to accumulate gradients over several passes through the base."""
    return {path: (a.detach().requires_grad_(), b.detach().requires_grad_()) for path, (a, b) in pairs.items()}


def tensors_of(pairs: Pairs) -> list[torch.Tensor]:
    return [tensor for pair in pairs.values() for tensor in pair]


def chosen(pairs: Pairs, which: torch.Tensor | list[int]) -> Pairs:
    return {path: (a[which], b[which]) for path, (a, b) in pairs.items()}


def mean_of(pairs: Pairs) -> Pairs:
    """One adapter, the exact mean of N: rank N · r."""
    return {path: (a.flatten(0, 1)[None], b.flatten(0, 1)[None] / len(b)) for path, (a, b) in pairs.items()}

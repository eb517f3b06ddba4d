"""How several changes of one layer become one. Pure functions on `delta.Pair`; no registry, no model.

TIES: Yadav et al. 2023 (arXiv 2306.01708). DARE: Yu et al. 2023 (arXiv 2311.03099). Both prune and vote on ΔW itself:
on factors, as in PEFT's `ties` and `dare_ties`, a vote's outcome would depend on the factors that training happened to
find. Signs are elected before weights are applied, as in PEFT, so that a weight scales an adapter's change and not its
vote.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy
import torch

from rune_trainer import delta
from rune_trainer.contract import LARGEST_RANK
from rune_trainer.delta import Pair


@dataclass(frozen=True)
class Recipe:
    combine: str
    weights: tuple[float, ...]
    rank: int
    density: float
    seed: int


@dataclass(frozen=True)
class Combined:
    pair: Pair
    """At the recipe's rank or below."""
    kept: float
    """Squared norm of it."""
    of: float
    """Squared norm of what it was truncated from."""
    exact: Pair
    """Squared norm of the weighted sum (of `Mean`: mean) at full rank, which it approximates."""


def rank_of(combine: str, ranks: list[int], asked: int | None) -> int:
    """Rank of the result: at most the sum, which every exact combination has."""
    usual = sum(ranks) if combine in ("Cat", "Mean") else max(ranks)
    return min(asked or usual, sum(ranks)) if combine in ("Cat", "Mean", "Svd") else min(asked or usual, LARGEST_RANK)


def combined(path: str, pairs: Sequence[Pair | None], recipe: Recipe) -> Combined:
    """The layer at `path`; an adapter that doesn't change it has None. At least one does."""
    present = [(p, w, n) for n, (p, w) in enumerate(zip(pairs, recipe.weights, strict=True)) if p is not None]
    share = (sum(recipe.weights) if recipe.combine == "Mean" else 1.0) or 1.0  # a search may try weights of 0 alone
    exact = delta.total([p for p, _, _ in present], [w / share for _, w, _ in present])
    if recipe.combine in MERGERS:
        sparse = [
            PRUNERS[recipe.combine](p.formed(), recipe.density, draws(recipe.seed, path, n)) for p, _, n in present
        ]
        matrix = MERGERS[recipe.combine](sparse, [w for _, w, _ in present])
        pair = delta.truncated_formed(matrix, recipe.rank, draws(recipe.seed, path, len(pairs)))
        return Combined(pair, delta.squared_norm(pair), torch.linalg.norm(matrix).double().item() ** 2, exact)
    pair = exact if exact.rank <= recipe.rank else delta.truncated(exact, recipe.rank)
    return Combined(pair, delta.squared_norm(pair), delta.squared_norm(exact), exact)


def draws(seed: int, path: str, number: int) -> torch.Generator:
    """Random numbers for one adapter in one layer: independent of where a run resumes and of the device."""
    name = hashlib.sha256(f"{seed} {path} {number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(name[:7], "big"))


def largest(matrix: torch.Tensor, density: float, _: torch.Generator) -> torch.Tensor:
    """TIES keeps the share `density` of the entries with the largest magnitudes."""
    count = int(density * matrix.numel())
    if count >= matrix.numel():
        return matrix
    if count == 0:
        return torch.zeros_like(matrix)
    magnitudes = matrix.abs().flatten().cpu().numpy()
    least = numpy.partition(magnitudes, magnitudes.size - count)[magnitudes.size - count]
    return matrix * (matrix.abs() >= float(least))


def chosen(matrix: torch.Tensor, density: float, generator: torch.Generator) -> torch.Tensor:
    """DARE keeps each entry with probability `density` and divides by it."""
    if density >= 1:
        return matrix
    kept = torch.bernoulli(torch.full(matrix.shape, density), generator=generator).to(matrix.device)
    return matrix * kept / density


def agreed(matrices: list[torch.Tensor], weights: list[float]) -> torch.Tensor:
    """Each entry's weighted mean over those adapters whose sign is that of the sum."""
    sign = torch.where(sum(matrices) >= 0, 1.0, -1.0)
    agreeing = [m.sign() == sign for m in matrices]
    count: torch.Tensor = sum(a.float() for a in agreeing)
    return sum(w * m * a for w, m, a in zip(weights, matrices, agreeing, strict=True)) / count.clamp_min(1.0)


PRUNERS: dict[str, Callable[[torch.Tensor, float, torch.Generator], torch.Tensor]] = {
    "Ties": largest,
    "DareTies": chosen,
}
MERGERS: dict[str, Callable[[list[torch.Tensor], list[float]], torch.Tensor]] = {"Ties": agreed, "DareTies": agreed}

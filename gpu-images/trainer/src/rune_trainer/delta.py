"""Changes of weights, ΔW = BA, as pairs of thin factors: sums, inner products and truncations without materialising
them.

Factors of one ΔW are defined only up to BM and M⁻¹A, so nothing here averages or compares factors; every
statement about an adapter is about its ΔW. Factors are kept in single precision, inner products are computed in double.
"""

from dataclasses import dataclass

import torch

OVERSAMPLING, POWER_ITERATIONS = 16, 2
"""Of the randomised range finder (Halko, Martinsson, Tropp 2011, algorithm 4.4)."""
SMALL = 512
"""Up to this shorter side a materialised matrix is decomposed exactly."""


@dataclass(frozen=True)
class Pair:
    """One layer's ΔW; the adapter's scale alpha / rank is in B."""

    a: torch.Tensor
    """(rank, inputs) float32"""
    b: torch.Tensor
    """(outputs, rank) float32"""

    @property
    def rank(self) -> int:
        return self.a.shape[0]

    def formed(self) -> torch.Tensor:
        """(outputs, inputs)"""
        return self.b @ self.a


Pairs = dict[str, Pair]
"""Path of the layer in the base → its change. An absent layer is not changed."""


def total(pairs: list[Pair], weights: list[float]) -> Pair:
    """Σ wᵢΔWᵢ exactly; the ranks add up."""
    return Pair(
        torch.cat([p.a for p in pairs]), torch.cat([w * p.b for w, p in zip(weights, pairs, strict=True)], dim=1)
    )


def inner(x: Pair, y: Pair) -> float:
    """⟨ΔWx, ΔWy⟩ = tr((BxᵀBy)(AyAxᵀ)) = Σ (BxᵀBy) ∘ (AxAyᵀ)"""
    return torch.sum((x.b.double().T @ y.b.double()) * (x.a.double() @ y.a.double().T)).item()


def squared_norm(pair: Pair) -> float:
    return max(0.0, inner(pair, pair))


def squared_distance(x: Pair, y: Pair) -> float:
    """‖ΔWx − ΔWy‖²; differences below a hundred-millionth of the norms are lost to rounding."""
    return max(0.0, inner(x, x) - 2 * inner(x, y) + inner(y, y))


def truncated(pair: Pair, rank: int) -> Pair:
    """The nearest ΔW of that rank (Eckart–Young), by the QR core: B = QbRb, Aᵀ = QaRa, and an SVD of RbRaᵀ alone."""
    qb, rb = torch.linalg.qr(pair.b)
    qa, ra = torch.linalg.qr(pair.a.T)
    u, s, vt = torch.linalg.svd(rb.double() @ ra.double().T, full_matrices=False)
    return balanced(qb, u, s, vt, qa.T, rank)


def truncated_formed(matrix: torch.Tensor, rank: int, generator: torch.Generator) -> Pair:
    """As `truncated`, for a matrix (outputs, inputs) of any rank;
    large ones by a randomised range finder that draws from `generator`.
    """
    if min(matrix.shape) <= max(SMALL, rank + OVERSAMPLING):
        u, s, vt = torch.linalg.svd(matrix.double(), full_matrices=False)
        return Pair((s[:rank].sqrt()[:, None] * vt[:rank]).float(), (u[:, :rank] * s[:rank].sqrt()).float())
    probes = torch.randn(matrix.shape[1], rank + OVERSAMPLING, generator=generator).to(matrix.device)
    found, _ = torch.linalg.qr(matrix @ probes)
    for _ in range(POWER_ITERATIONS):
        found, _ = torch.linalg.qr(matrix.T @ found)
        found, _ = torch.linalg.qr(matrix @ found)
    u, s, vt = torch.linalg.svd(found.T @ matrix, full_matrices=False)
    return Pair(s[:rank].sqrt()[:, None] * vt[:rank], found @ (u[:, :rank] * s[:rank].sqrt()))


def balanced(qb: torch.Tensor, u: torch.Tensor, s: torch.Tensor, vt: torch.Tensor, qa: torch.Tensor, rank: int) -> Pair:
    """Factors of equal norms, so that rounding affects both equally."""
    root = s[:rank].sqrt()
    return Pair((root[:, None] * vt[:rank]).float() @ qa, qb @ (u[:, :rank] * root).float())


def padded(pair: Pair, rank: int) -> Pair:
    """The same ΔW with rows and columns of zeros added up to a rank."""
    missing = rank - pair.rank
    return Pair(torch.nn.functional.pad(pair.a, (0, 0, 0, missing)), torch.nn.functional.pad(pair.b, (0, missing)))

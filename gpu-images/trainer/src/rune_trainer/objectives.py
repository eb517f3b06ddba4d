"""Objectives of generated adapters: answer as the teacher does, reproduce the text itself, or equal another adapter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from rune_trainer import distillation
from rune_trainer.distillation import Taught, divergence, kept_of
from rune_trainer.encoder import Kept
from rune_trainer.functional import Pairs, applied
from rune_trainer.lessons import Lesson, taught_example
from rune_trainer.model import vocabulary_of
from rune_trainer.sheet import Sheet, logits_at, portions, sheet_of

Draw = tuple[Lesson, int]
"""A trajectory, and the group of its questions."""


class Interrupted(Exception):
    """A step or a measurement was given up between two passes through the base; it has changed nothing."""


def never() -> bool:
    return False


@dataclass
class Asking:
    """The frozen base as student and teacher."""

    model: Any
    tokenizer: Any
    objective: str
    top_k: int
    together: bool
    """`grouping.packs_well`"""
    kept: Kept
    stopping: Callable[[], bool] = never
    """Asked before each pass through the base, which may take half a minute on a CPU. Raises `Interrupted` if true."""

    def losses(self, draws: list[Draw], pairs: Pairs, per: int = 0) -> tuple[float, int]:
        """(sum of the loss over all learnt tokens, their number) with `pairs[n]` for draw n; one pair may serve all.

        With `per` the gradient of that sum divided by it reaches the pairs, which are leaves.
        """
        groups, total, backward = [lesson.examples(which) for lesson, which in draws], 0.0, per > 0
        for first, end in portions(groups, vocabulary_of(self.model)):
            self.go_on()
            sheet = sheet_of(groups[first:end], self.together, self.model.device)
            with torch.set_grad_enabled(backward):
                loss = self.loss(draws[first:end], sheet, self.answers(sheet, portion_of(pairs, first, end)))
            if backward:
                (loss / per).backward()
            total += loss.item()
        return total, learnt_of(draws)

    def go_on(self) -> None:
        if self.stopping():
            raise Interrupted

    def answers(self, sheet: Sheet, pairs: Pairs) -> torch.Tensor:
        shared = next(iter(pairs.values()))[0].shape[0] == 1
        with applied(self.model, pairs, None if shared else sheet.owner):
            return logits_at(self.model, sheet)

    def loss(self, draws: list[Draw], sheet: Sheet, logits: torch.Tensor) -> torch.Tensor:
        if self.objective != "Distillation":
            return torch.nn.functional.cross_entropy(logits, sheet.targets, reduction="sum")
        return divergence(distillation.joined([self.taught(lesson, which) for lesson, which in draws]), logits)

    def taught(self, lesson: Lesson, which: int) -> Taught:
        return self.kept.get(
            (lesson.number, which),
            lambda: self.teach(lesson, which),
            lambda t: t.tokens.nbytes + t.log_probabilities.nbytes,
        )

    @torch.no_grad()
    def teach(self, lesson: Lesson, which: int) -> Taught:
        """Always computed for one trajectory and one group alone, so that the numbers are the same in any step."""
        self.go_on()
        examples = [taught_example(self.tokenizer, lesson.text, question) for question in lesson.groups[which]]
        return kept_of(logits_at(self.model, sheet_of([examples], self.together, self.model.device)), self.top_k)


def learnt_of(draws: list[Draw]) -> int:
    """Tokens to learn in all of them."""
    return sum(len(e.tail) for lesson, which in draws for e in lesson.examples(which))


def portion_of(pairs: Pairs, first: int, end: int) -> Pairs:
    return {path: (a, b) if len(a) == 1 else (a[first:end], b[first:end]) for path, (a, b) in pairs.items()}


def products(one: Pairs, other: Pairs) -> torch.Tensor:
    """(N,) Σ over layers of ⟨ΔWₙ, ΔVₙ⟩ = tr((Bₙ Dₙᵀ)(Cₙ Aₙᵀ)), without materialising any ΔW;
    pairs of N or 1 on either side
    """
    return sum(
        ((a @ c.transpose(1, 2)) * (b @ d.transpose(1, 2))).sum((1, 2))
        for (a, b), (c, d) in ((one[path], other[path]) for path in one)
    )


def reconstruction_errors(pairs: Pairs, wanted: Pairs) -> torch.Tensor:
    """(N,) ‖ΔW − ΔV‖² / ‖ΔV‖² over all layers together.
    The zero adapter has 1, a random one of equal norm about 2 (research: T2L's losses on factors depend on their gauge;
    this doesn't).
    """
    size = products(wanted, wanted)
    return (products(pairs, pairs) - 2 * products(pairs, wanted) + size).clamp_min(0) / size


def random_like(pairs: Pairs) -> Pairs:
    """Adapters without knowledge: Gaussian factors, with the norm of each row's ΔW in every layer. The same at every call."""
    generator, made = torch.Generator().manual_seed(0), Pairs()
    for path, (a, b) in sorted(pairs.items()):
        drawn_a, drawn_b = (torch.randn(factor.shape, generator=generator).to(factor) for factor in (a, b))
        wanted, drawn = (
            products({path: (a, b)}, {path: (a, b)}),
            products({path: (drawn_a, drawn_b)}, {path: (drawn_a, drawn_b)}),
        )
        made[path] = (drawn_a, drawn_b * (wanted.clamp_min(0) / drawn).sqrt()[:, None, None])
    return made


def mean_cosine(pairs: Pairs) -> torch.Tensor:
    """Mean cosine between different rows' ΔW, with a gradient: `diversityWeight` penalises it."""
    gram = gram_of(pairs)
    norms = gram.diagonal().clamp_min(1e-12).sqrt()
    cosines = gram / norms[:, None] / norms[None, :]
    count = len(gram)
    return (cosines.sum() - cosines.diagonal().sum()) / max(1, count * (count - 1))


def gram_of(pairs: Pairs, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """(N, N) inner products of the rows' ΔW over all layers, computed in `dtype` a layer at a time"""
    return sum(gram_of_layer(a.to(dtype), b.to(dtype)) for a, b in pairs.values())


def gram_of_layer(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    count, rank = a.shape[:2]
    a, b = a.flatten(0, 1), b.flatten(0, 1)
    return ((a @ a.T) * (b @ b.T)).view(count, rank, count, rank).sum((1, 3))

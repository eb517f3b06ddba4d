"""Alarms of a hypernetwork's training: whether its adapters differ, whether their answers differ, and whether the right
one is better.

The first three look at the generated part of ΔW alone, since the static part is the same in all. None of them proves
anything by itself; right minus wrong, on trajectories that were never trained on, is the one that decides.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from rune_trainer.contract import Stop
from rune_trainer.encoder import Encoder
from rune_trainer.examples import Example
from rune_trainer.functional import Pairs, applied, by_trajectory, chosen, joined, mean_of, rows_of
from rune_trainer.hypernetwork import Hypernetwork
from rune_trainer.lessons import Lesson
from rune_trainer.objectives import Asking, gram_of, products, random_like, reconstruction_errors
from rune_trainer.sheet import logits_at, sheet_of

MEASURED = 32
"""Most held-out trajectories that an alarm looks at."""
PROBED, PROBES, PROBE_TOKENS = 16, 4, 8
"""Adapters, questions and tokens of each answer that the behaviour distance compares."""


@dataclass(frozen=True)
class Spread:
    """How N adapters differ as changes of the weights."""

    cosine_diversity: float
    """1 − mean cosine"""
    variance_ratio: float
    """E‖v − v̄‖² / E‖v‖²"""
    effective_rank: float
    """exp of the entropy of the centred singular values; from 1 to N − 1"""


def spread_of(gram: torch.Tensor) -> Spread:
    """gram (N, N), float64. Adapters that change nothing count as identical; NaN stays NaN."""
    count, mass = len(gram), gram.diagonal().sum().item()
    if not torch.isfinite(gram).all():
        return Spread(math.nan, math.nan, math.nan)
    if mass <= 0 or count < 2:
        return Spread(0.0, 0.0, 1.0)
    norms = gram.diagonal().clamp_min(1e-300).sqrt()
    cosines = gram / norms[:, None] / norms[None, :]
    mean = (cosines.sum().item() - cosines.diagonal().sum().item()) / (count * (count - 1))
    rows = gram - gram.mean(0, keepdim=True)
    values = torch.linalg.eigvalsh(rows - rows.mean(1, keepdim=True)).clamp_min(0).sqrt()
    parts = values[values > values.max() * 1e-6]
    parts = parts / parts.sum()
    return Spread(
        1 - mean,
        1 - gram.sum().item() / count / mass,
        math.exp(-(parts * parts.log()).sum().item()) if len(parts) else 1.0,
    )


def divergence_bits(one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean Jensen-Shannon divergence in bits between log-probabilities (K, V); from 0 to 1."""
    middle = torch.logaddexp(one, other) - math.log(2)
    both = ((p.exp() * (p - middle)).sum(-1) for p in (one, other))
    total: torch.Tensor = sum(both)
    return (total / 2 / math.log(2)).mean().item()


def others(groups: list[str]) -> list[int]:
    """For each, the next in a circle that belongs to another group: the one with the wrong adapter."""
    count = len(groups)
    return [
        next((j % count for j in range(i + 1, i + count) if groups[j % count] != groups[i]), (i + 1) % count)
        for i in range(count)
    ]


@dataclass
class Watch:
    """Measures a hypernetwork on held-out trajectories."""

    asking: Asking
    encoder: Encoder
    held_out: list[Lesson]
    weight_norms: dict[str, float]
    """‖W‖ of each target layer"""
    wanted: Callable[[list[Lesson]], Pairs] | None = None
    """With `Reconstruction`, the adapters that were fine-tuned from these trajectories."""

    def __post_init__(self) -> None:
        self.held_out = spread_over_groups(self.held_out)[:MEASURED]

    @torch.no_grad()
    def measure(self, network: Hypernetwork) -> dict[str, float]:
        """Metrics by their names in a TrainingRun's status, plus `deltaWNorm` and every layer's relative norm."""
        generated = self.generate(network)
        pairs = joined([generated, repeated(network.static(), len(self.held_out))])
        spread = spread_of(gram_of(generated, torch.float64))
        return {
            "cosineDiversity": spread.cosine_diversity,
            "varianceRatio": spread.variance_ratio,
            "effectiveRank": spread.effective_rank,
            "behaviourDistance": self.behaviour(pairs),
            **self.contrasts(pairs),
            **self.norms(pairs),
            **self.reconstruction(pairs),
        }

    def generate(self, network: Hypernetwork) -> Pairs:
        """The pairs of all, but one trajectory's features at a time: those of all would need several times a step's memory."""
        made, counts = list[Pairs](), list[int]()
        for lesson in self.held_out:
            features, mask, chunks = self.encoder.batch([lesson.text])
            made.append(network(features, mask))
            counts += chunks
        return by_trajectory(rows_of(made), counts)

    def contrasts(self, pairs: Pairs) -> dict[str, float]:
        draws = [(lesson, 0) for lesson in self.held_out]
        wrong = others([lesson.group for lesson in self.held_out])

        def loss(adapters: Pairs) -> float:
            total, learnt = self.asking.losses(draws, adapters)
            return total / learnt

        right = loss(pairs)
        return {
            "heldOutLoss": right,
            "rightMinusWrong": loss(chosen(pairs, wrong)) - right,
            "rightMinusMean": loss(mean_of(pairs)) - right,
        }

    def behaviour(self, pairs: Pairs) -> float:
        """Each adapter's answers to the same questions against the next one's."""
        count = min(PROBED, len(self.held_out))
        probes = [shortened(lesson.examples(0)[0]) for lesson in self.held_out[:PROBES]]
        said = [self.say(chosen(pairs, [n]), probes) for n in range(count)]
        wrong = others([lesson.group for lesson in self.held_out[:count]])
        return sum(divergence_bits(said[n], said[wrong[n]]) for n in range(count)) / count

    def say(self, pair: Pairs, probes: list[Example]) -> torch.Tensor:
        with applied(self.asking.model, pair):
            return torch.log_softmax(
                logits_at(self.asking.model, sheet_of([probes], self.asking.together, self.asking.model.device)), -1
            )

    def reconstruction(self, pairs: Pairs) -> dict[str, float]:
        """Compared with 1, the zero adapter's, with the mean adapter's and with a random one's of the wanted norm."""
        if self.wanted is None:
            return {}
        wanted = self.wanted(self.held_out)
        return {
            "reconstructionError": reconstruction_errors(pairs, wanted).mean().item(),
            "reconstructionErrorOfMean": reconstruction_errors(mean_of(pairs), wanted).mean().item(),
            "reconstructionErrorOfRandom": reconstruction_errors(random_like(wanted), wanted).mean().item(),
        }

    def norms(self, pairs: Pairs) -> dict[str, float]:
        sizes = {path: products({path: pair}, {path: pair}).clamp_min(0).double() for path, pair in pairs.items()}
        relative = {
            f"relativeNorm/{path}": size.sqrt().mean().item() / self.weight_norms[path] for path, size in sizes.items()
        }
        total: torch.Tensor = sum(sizes.values())
        return {
            "deltaWNorm": total.sqrt().mean().item(),
            "relativeNorm": max(relative.values()),
            **relative,
        }


def tripped(measured: dict[str, float], stop: Stop) -> str | None:
    """The alarm that shows that training has collapsed, with its value.

    Right minus wrong at its limit is collapsed too: a network that ignores what it reads has exactly 0.
    """
    if measured["rightMinusWrong"] <= stop.right_minus_wrong_below:
        return f"another trajectory's adapter serves as well as the right one: right minus wrong is {measured['rightMinusWrong']:.4f} nats per token, not above {stop.right_minus_wrong_below:g}"
    if measured["cosineDiversity"] < stop.cosine_diversity_below:
        return f"adapters of different trajectories are nearly the same: cosine diversity is {measured['cosineDiversity']:.4f}, below {stop.cosine_diversity_below:g}"
    return None


def spread_over_groups(lessons: list[Lesson]) -> list[Lesson]:
    """One of each group, then a second of each, and so on."""
    rounds: dict[str, Iterator[int]] = {}
    turn = {lesson.number: next(rounds.setdefault(lesson.group, iter(range(len(lessons))))) for lesson in lessons}
    return sorted(lessons, key=lambda lesson: (turn[lesson.number], lesson.number))


def repeated(pairs: Pairs, count: int) -> Pairs:
    return {path: (a.expand(count, -1, -1), b.expand(count, -1, -1)) for path, (a, b) in pairs.items()}


def shortened(example: Example) -> Example:
    return Example(example.prompt, example.head, example.tail[:PROBE_TOKENS])


def weight_norms(model: Any, paths: list[str]) -> dict[str, float]:
    return {path: weight_of(model.get_submodule(path)).float().norm().item() for path in paths}


def weight_of(layer: torch.nn.Linear) -> torch.Tensor:
    """The effective weight, also of a layer in four bits."""
    state = getattr(layer.weight, "quant_state", None)
    if state is None:
        return layer.weight
    from bitsandbytes.functional import dequantize_4bit

    return dequantize_4bit(layer.weight.data, state)

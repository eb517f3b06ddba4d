"""Several adapters → one, layer by layer, with the losses. Resumable between layers."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from rune_trainer import checkpoint, delta
from rune_trainer.combining import Combined, Recipe, combined
from rune_trainer.contract import Exit
from rune_trainer.delta import Pair, Pairs
from rune_trainer.errors import Ending, terminated
from rune_trainer.sft import Progress, Run


@dataclass(frozen=True)
class Losses:
    """Squared norms, over all layers: of the result, of what it was truncated from, of its distance to the exact sum, and of that sum."""

    kept: float = 0.0
    of: float = 0.0
    distance: float = 0.0
    exact: float = 0.0

    def __add__(self, other: "Losses") -> "Losses":
        return Losses(
            self.kept + other.kept, self.of + other.of, self.distance + other.distance, self.exact + other.exact
        )

    def metrics(self) -> dict[str, float]:
        """As TrainingRun's status names them."""
        return {
            "retainedEnergy": min(1.0, self.kept / self.of) if self.of else 1.0,
            "relativeErrorToExactSum": math.sqrt(self.distance / self.exact) if self.exact else 0.0,
        }


def paths_of(parts: Iterable[Pairs]) -> list[str]:
    return sorted(set().union(*parts))


def layer(path: str, parts: list[Pairs], recipe: Recipe, dtype: torch.dtype) -> tuple[Pair, Losses]:
    """The layer's pair at the recipe's rank, rounded as it will be served, and its losses."""
    made = combined(path, [part.get(path) for part in parts], recipe)
    pair = delta.padded(rounded(made.pair, dtype), recipe.rank)
    return pair, losses_of(made, pair)


def norm(pairs: Pairs) -> float:
    """‖ΔW‖ of all layers together (Frobenius)."""
    return math.sqrt(sum(delta.squared_norm(pair) for pair in pairs.values()))


def of_norm(pairs: Pairs, wanted: float, dtype: torch.dtype) -> Pairs:
    """All layers scaled by one factor so that together they have this norm, rounded as they will be served;
    zero stays zero.
    """
    factor = math.sqrt(wanted / (norm(pairs) or wanted))
    return {path: rounded(Pair(pair.a * factor, pair.b * factor), dtype) for path, pair in pairs.items()}


def rounded(pair: Pair, dtype: torch.dtype) -> Pair:
    return Pair(pair.a.to(dtype).float(), pair.b.to(dtype).float())


def losses_of(made: Combined, pair: Pair) -> Losses:
    return Losses(made.kept, made.of, delta.squared_distance(pair, made.exact), delta.squared_norm(made.exact))


def merged(parts: list[Pairs], recipe: Recipe, dtype: torch.dtype, run: Run) -> tuple[Pairs, Losses]:
    """Every layer that some part changes. Continues from the newest checkpoint of this run if there is one."""
    paths, pairs, losses = paths_of(parts), Pairs(), dict[str, Losses]()
    if state := checkpoint.newest(run.directory, run.identity):
        for path in paths[: state.step]:
            pairs[path] = Pair(state.tensors[f"a/{path}"], state.tensors[f"b/{path}"])
            losses[path] = Losses(*state.tensors[f"losses/{path}"].tolist())

    def save() -> None:
        tensors = {f"{half}/{path}": t for path, pair in pairs.items() for half, t in (("a", pair.a), ("b", pair.b))}
        tensors |= {
            f"losses/{path}": torch.tensor([loss.kept, loss.of, loss.distance, loss.exact], dtype=torch.float64)
            for path, loss in losses.items()
        }
        checkpoint.save(run.directory, run.identity, checkpoint.State(len(pairs), tensors, []))

    started, first = time.monotonic(), len(pairs)
    for path in paths[first:]:
        if run.stopping():
            if pairs:
                save()
            raise terminated(
                f"asked to stop after {len(pairs)} of {len(paths)} layers; the next attempt goes on from there"
            )
        pairs[path], losses[path] = layer(path, parts, recipe, dtype)
        if not (torch.isfinite(pairs[path].a).all() and torch.isfinite(pairs[path].b).all()):
            raise Ending(
                Exit.BAD_INPUT, "NotFinite", f"the merged change of {path} holds NaN or infinity; lower merge.weights"
            )
        run.report(Progress(len(pairs), len(paths), None, (time.monotonic() - started) / (len(pairs) - first)))
        if len(pairs) % run.every_steps == 0 and len(pairs) < len(paths):
            save()
    return pairs, sum(losses.values(), Losses())

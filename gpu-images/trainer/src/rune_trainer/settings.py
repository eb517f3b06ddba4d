"""The section of each method in the job document: crds/kinds/methods.ts, field by field, with the same defaults.

tests/test_settings.py compares both with the schema that is generated from it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rune_trainer.errors import bad_input
from rune_trainer.fields import DECIMAL, DIGEST, SIGNED, Fields

ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
HIGHEST_RANK = 512
"""What a server takes at most."""


@dataclass(frozen=True)
class Loading:
    """How the frozen base is read."""

    precision: str
    quantization: str = "None"


@dataclass(frozen=True)
class Shape:
    """Of an adapter, uniform over its layers: engines read no patterns."""

    rank: int
    alpha: int
    target_modules: tuple[str, ...]

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    def fields(self) -> dict[str, Any]:
        """As configs and results name it."""
        return {"rank": self.rank, "alpha": self.alpha, "targetModules": list(self.target_modules)}


@dataclass(frozen=True)
class Sft:
    objective: str
    top_k: int
    warm_start: str | None
    """Name of the adapter whose weights are gone on from."""
    rank: int
    alpha: int
    target_modules: tuple[str, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    max_length: int
    precision: str
    quantization: str
    seed: int

    @property
    def shape(self) -> Shape:
        return Shape(self.rank, self.alpha, self.target_modules)


@dataclass(frozen=True)
class Stop:
    after_percent: int
    cosine_diversity_below: float
    right_minus_wrong_below: float


@dataclass(frozen=True)
class Hypernetwork:
    objective: str
    top_k: int
    rank: int
    target_modules: tuple[str, ...]
    width: int
    blocks: int
    heads: int
    chunk_tokens: int
    max_chunks: int
    steps: int
    batch_size: int
    examples_per_trajectory: int
    learning_rate: float
    diversity_weight: float
    max_length: int
    minimum_pairs: int
    holdout_percent: int
    stop: Stop
    precision: str
    quantization: str
    seed: int


@dataclass(frozen=True)
class Origin:
    """Where a hypernetwork comes from, for people: `Job.generator` is what it was resolved to."""

    run: str | None
    repository: str | None
    digest: str | None


@dataclass(frozen=True)
class Generate:
    hypernetwork: Origin
    each: str
    force: bool


@dataclass(frozen=True)
class Search:
    method: str
    evaluations: int


@dataclass(frozen=True)
class Merge:
    adapters: tuple[str, ...]
    combine: str
    weights: tuple[float, ...] | None
    norm_of: str | None
    """Name of the adapter whose strength the result gets."""
    search: Search | None
    rank: int | None
    density: float
    seed: int


@dataclass(frozen=True)
class Control:
    like: str
    kind: str
    seed: int


Settings = Sft | Hypernetwork | Generate | Merge | Control


def seed(f: Fields) -> int:
    return f.whole("seed", 0, 2147483647, 0)


def top_k(f: Fields) -> int:
    return f.whole("topK", 1, 1000, 16)


def precision(f: Fields) -> str:
    return f.one_of("precision", ("BFloat16", "Float32"), "BFloat16")


def quantization(f: Fields) -> str:
    return f.one_of("quantization", ("None", "NF4"), "None")


def learning_rate(f: Fields) -> float:
    rate = f.decimal("learningRate", "0.0004")
    if not 0 < rate <= 1:
        raise bad_input(f"{f.at('learningRate')} must be above 0 and at most 1, not {rate}")
    return rate


def target_modules(f: Fields, default: tuple[str, ...]) -> tuple[str, ...]:
    modules = f.items("targetModules", list(default), least=1)
    if not all(isinstance(m, str) and re.fullmatch(r"[a-z0-9_]+", m) for m in modules):
        raise bad_input(f"{f.at('targetModules')} must hold names of linear layers such as q_proj")
    return tuple(sorted(set(modules)))


def parse_sft(f: Fields) -> Sft:
    return Sft(
        objective=f.one_of("objective", ("CrossEntropy", "Distillation"), "CrossEntropy"),
        top_k=top_k(f),
        warm_start=f.optional("warmStart", lambda w: w.text("adapter")),
        rank=f.whole("rank", 1, HIGHEST_RANK, 16),
        alpha=f.whole("alpha", 1, 4096, 32),
        target_modules=target_modules(f, ALL_LINEAR),
        epochs=f.whole("epochs", 1, 100, 5),
        batch_size=f.whole("batchSize", 1, 1024, 4),
        learning_rate=learning_rate(f),
        max_length=f.whole("maxLength", 64, 131072, 1024),
        precision=precision(f),
        quantization=quantization(f),
        seed=seed(f),
    )


def parse_stop(f: Fields) -> Stop:
    return Stop(
        f.whole("afterPercent", 0, 100, 30),
        f.decimal("cosineDiversityBelow", "0.1"),
        f.decimal("rightMinusWrongBelow", "0", SIGNED),
    )


def parse_hypernetwork(f: Fields) -> Hypernetwork:
    parsed = Hypernetwork(
        objective=f.one_of("objective", ("Distillation", "CrossEntropy", "Reconstruction"), "Distillation"),
        top_k=top_k(f),
        rank=f.whole("rank", 1, 64, 8),
        target_modules=target_modules(f, ("down_proj",)),
        width=f.whole("width", 16, 4096, 512),
        blocks=f.whole("blocks", 1, 32, 8),
        heads=f.whole("heads", 1, 64, 8),
        chunk_tokens=f.whole("chunkTokens", 16, 32768, 512),
        max_chunks=f.whole("maxChunks", 1, 63, 7),
        steps=f.whole("steps", 1, 10000000, 1000),
        batch_size=f.whole("batchSize", 1, 1024, 16),
        examples_per_trajectory=f.whole("examplesPerTrajectory", 1, 64, 4),
        learning_rate=learning_rate(f),
        diversity_weight=f.decimal("diversityWeight", "0"),
        max_length=f.whole("maxLength", 64, 131072, 1024),
        minimum_pairs=f.whole("minimumPairs", 1, 100000, 50),
        holdout_percent=f.whole("holdoutPercent", 1, 50, 10),
        stop=f.inner("stop", parse_stop, {}),
        precision=precision(f),
        quantization=quantization(f),
        seed=seed(f),
    )
    if parsed.width % parsed.heads:
        raise bad_input(f"{f.at('heads')} must divide {f.at('width')}; {parsed.heads} does not divide {parsed.width}")
    return parsed


def parse_generate(f: Fields) -> Generate:
    def origin(o: Fields) -> Origin:
        return Origin(
            o.take("run", None),
            o.take("repository", None),
            None if o.take("digest", None) is None else o.text("digest", matching=DIGEST),
        )

    return Generate(
        f.inner("hypernetwork", origin), f.one_of("each", ("Corpus", "Session"), "Corpus"), f.truth("force", False)
    )


def parse_merge(f: Fields) -> Merge:
    adapters = tuple(f.items("adapters", least=1))
    if len(adapters) > 16 or not all(isinstance(name, str) and name for name in adapters):
        raise bad_input(f"{f.at('adapters')} must hold 1 to 16 names")
    parsed = Merge(
        adapters=adapters,
        combine=f.one_of("combine", ("Cat", "Mean", "Svd", "Ties", "DareTies"), "Cat"),
        weights=weights_of(f),
        norm_of=None if f.take("normOf", None) is None else f.text("normOf"),
        search=f.optional(
            "search",
            lambda s: Search(s.one_of("method", ("Grid", "CMAES"), "Grid"), s.whole("evaluations", 3, 1000, 20)),
        ),
        rank=None if f.take("rank", None) is None else f.whole("rank", 1, HIGHEST_RANK),
        density=f.decimal("density", "0.5"),
        seed=seed(f),
    )
    if parsed.weights and (parsed.search or len(parsed.weights) != len(adapters)):
        raise bad_input(
            f"{f.at('weights')} needs one weight for each of the {len(adapters)} adapters, and none with search"
        )
    if len(adapters) == 1 and not parsed.norm_of:
        raise bad_input(f"{f.at('adapters')} needs two adapters at least; one alone is for normOf, which scales it")
    if parsed.norm_of and parsed.search:
        raise bad_input(f"{f.at('normOf')} fixes the strength that search would look for; name one of the two")
    if not 0 < parsed.density <= 1:
        raise bad_input(f"{f.at('density')} must be above 0 and at most 1, not {parsed.density}")
    return parsed


def weights_of(f: Fields) -> tuple[float, ...] | None:
    if f.take("weights", None) is None:
        return None
    given = f.items("weights", least=1)
    if not all(isinstance(w, str) and DECIMAL.fullmatch(w) for w in given):
        raise bad_input(f'{f.at("weights")} must hold decimals as strings, such as "0.7"')
    return tuple(float(w) for w in given)


def parse_control(f: Fields) -> Control:
    return Control(f.text("like"), f.one_of("kind", ("RandomOfEqualNorm", "Zero"), "RandomOfEqualNorm"), seed(f))


SECTIONS: dict[str, Callable[[Fields], Any]] = {
    "sft": parse_sft,
    "hypernetwork": parse_hypernetwork,
    "generate": parse_generate,
    "merge": parse_merge,
    "control": parse_control,
}
"""Every method by the name of its section."""

"""The hypernetwork after Doc-to-LoRA (arXiv 2602.15902): features of a text → a LoRA pair for every target layer.

A Perceiver outputs one vector per (layer, row of rank). Each layer has a residual MLP; the vector is normalised, and
heads without bias turn it into one row of A and one of B for every target module. Rows of A are scaled by a learned
factor that starts at 1, rows of B by one that starts at 0, so that nothing changes at the start. A static pair of the
same rank, learnt but the same for every text, is added to the generated one.

Every layer's B has a fixed factor from the base's own activations (`set_scales`): without it a layer with large
inputs and small outputs would change beyond recognition in the first steps.
"""

import math
from typing import Any

import torch
from torch import nn

from rune_trainer.functional import Pair, Pairs
from rune_trainer.model import layer_number
from rune_trainer.perceiver import WIDENING, Perceiver

HEAD_SPREAD = 0.4
"""Standard deviation of generated elements before scaling; with AdamW's steps of one size it sets how fast heads turn (measured)."""
GAIN = 28.0
"""B's factor is GAIN · (output RMS / input RMS) / √(inputs · rank): then a learned factor of 1 changes a layer's output by a few times itself (measured)."""
STATIC_SPREAD = 0.2


class LayerHead(nn.Module):
    """One layer of the base: vectors (C, r · modules, width) → pairs of its target modules."""

    def __init__(self, width: int, shapes: dict[str, tuple[int, int]], rank: int):
        super().__init__()
        self.shapes, self.rank = shapes, rank
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, WIDENING * width, bias=False), nn.SiLU(), nn.Linear(WIDENING * width, width, bias=False)
        )
        nn.init.zeros_(self.mlp[2].weight)
        spread = HEAD_SPREAD / math.sqrt(width)
        self.rows = nn.ParameterDict(
            {key_of(path): torch.randn(width, sum(shape)) * spread for path, shape in shapes.items()}
        )
        self.scale_a = nn.Parameter(torch.ones(len(shapes), rank, 1))
        self.scale_b = nn.Parameter(torch.zeros(len(shapes), rank, 1))
        self.static_a = nn.ParameterDict(
            {
                key_of(path): torch.randn(rank, inputs) * STATIC_SPREAD / math.sqrt(inputs * rank)
                for path, (inputs, _) in shapes.items()
            }
        )
        self.static_b = nn.ParameterDict(
            {key_of(path): torch.zeros(rank, outputs) for path, (_, outputs) in shapes.items()}
        )
        self.register_buffer("factors", torch.ones(len(shapes)))

    def forward(self, vectors: torch.Tensor) -> Pairs:
        vectors = vectors + self.mlp(self.norm(vectors))
        vectors = nn.functional.normalize(vectors, dim=-1) * math.sqrt(vectors.shape[-1])
        return {
            path: self.pair(number, path, part)
            for number, (path, part) in enumerate(zip(self.shapes, vectors.split(self.rank, 1), strict=True))
        }

    def pair(self, number: int, path: str, vectors: torch.Tensor) -> Pair:
        a, b = (vectors @ self.rows[key_of(path)]).split(self.shapes[path], dim=-1)
        return a * self.scale_a[number], b * self.scale_b[number] * self.factors[number]

    def static(self) -> Pairs:
        return {
            path: (self.static_a[key_of(path)][None], self.static_b[key_of(path)][None] * self.factors[number])
            for number, path in enumerate(self.shapes)
        }


class Hypernetwork(nn.Module):
    """`features`: values per token; `shapes`: path of each target layer → (inputs, outputs)."""

    def __init__(self, features: int, shapes: dict[str, tuple[int, int]], settings: Any):
        super().__init__()
        self.rank, self.layers, self.half = settings.rank, by_layer(shapes), settings.precision == "BFloat16"
        self.perceiver = Perceiver(features, len(shapes) * self.rank, settings.width, settings.blocks, settings.heads)
        self.heads = nn.ModuleList(LayerHead(settings.width, inner, self.rank) for inner in self.layers)

    def forward(self, features: torch.Tensor, mask: torch.Tensor) -> Pairs:
        """features (C, S, F) of C chunks, mask (C, S) → the generated pairs alone, rank r each, in single precision"""
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self.half):
            vectors = self.perceiver(features, mask).split([len(inner) * self.rank for inner in self.layers], 1)
            return {
                path: pair for head, part in zip(self.heads, vectors, strict=True) for path, pair in head(part).items()
            }

    def static(self) -> Pairs:
        """The static part of every adapter: N = 1, rank r."""
        return {path: pair for head in self.heads for path, pair in head.static().items()}

    def settle(self) -> "Hypernetwork":
        """Stores in half precision what every forward pass converts anyway: the same pairs, without the conversions.
        It can't be trained afterwards.
        """
        if self.half:
            for module in self.modules():
                if isinstance(module, nn.Linear):
                    module.to(torch.bfloat16)
            for head in self.heads:
                head.rows.to(torch.bfloat16)
        return self.eval().requires_grad_(False)

    def set_scales(self, ratios: dict[str, float]) -> None:
        """`ratios`: path → the base's output RMS / input RMS there."""
        for head in self.heads:
            values = [GAIN * ratios[path] / math.sqrt(inputs * self.rank) for path, (inputs, _) in head.shapes.items()]
            head.factors.copy_(torch.tensor(values))


def by_layer(shapes: dict[str, tuple[int, int]]) -> list[dict[str, tuple[int, int]]]:
    """Target modules of each layer; a module outside the numbered layers counts as a separate layer."""
    layers: dict[int, dict[str, tuple[int, int]]] = {}
    for path, shape in shapes.items():
        number = layer_number(path)
        layers.setdefault(-1 if number is None else number, {})[path] = shape
    return [layers[number] for number in sorted(layers)]


def key_of(path: str) -> str:
    """Names of parameters can't contain dots."""
    return path.replace(".", "/")

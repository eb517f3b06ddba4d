"""The frozen base as the reader of trajectories: hidden states of all layers, chunk by chunk.

A trajectory is always read alone, whatever its batch: its features are the same numbers each time, so they
may be cached or recomputed, and a resumed run equals an uninterrupted one.
"""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import torch

from rune_trainer.fitting import fitted

T = TypeVar("T")

KEPT_BYTES = 2 << 30
"""Bound of the cache of the base's outputs; beyond it, they are recomputed."""


class Kept:
    """A bounded cache."""

    def __init__(self, limit: int = KEPT_BYTES):
        self.values, self.room = dict[Hashable, Any](), limit

    def get(self, key: Hashable, compute: Callable[[], T], size: Callable[[T], int]) -> T:
        if key in self.values:
            return self.values[key]
        value = compute()
        if size(value) <= self.room:
            self.room -= size(value)
            self.values[key] = value
        return value


@dataclass(frozen=True)
class Text:
    """A trajectory as the encoder reads it."""

    text: str
    chunks: tuple[tuple[int, ...], ...]
    """Its tokens in pieces of nearly equal length."""
    left_out: int
    """Attempts that were left out for lack of room."""


def text_of(tokenizer: Any, trajectory: dict[str, Any], chunk_tokens: int, max_chunks: int) -> Text:
    text, ids, left_out = fitted(tokenizer, trajectory, chunk_tokens * max_chunks)
    count = math.ceil(len(ids) / chunk_tokens)
    bounds = [len(ids) * n // count for n in range(count + 1)]
    return Text(text, tuple(tuple(ids[a:b]) for a, b in pairwise(bounds)), left_out)


class Encoder:
    """`features` values per token: each layer's state, normalised and concatenated."""

    def __init__(self, model: Any, keep: Kept | None = None):
        self.model, self.kept = model, keep or Kept()
        config = model.config.get_text_config()
        self.features = (config.num_hidden_layers + 1) * config.hidden_size

    @torch.no_grad()
    def read(self, text: Text) -> list[torch.Tensor]:
        """(S, features) of every chunk; padding comes after a shorter one and is masked."""
        rows = [torch.tensor(chunk) for chunk in text.chunks]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(self.model.device)
        states = self.model(input_ids=ids, output_hidden_states=True, use_cache=False, logits_to_keep=1).hidden_states
        normed = torch.cat([torch.nn.functional.layer_norm(s.float(), s.shape[-1:]).to(s.dtype) for s in states], -1)
        return [part[: len(row)] for part, row in zip(normed, rows, strict=True)]

    def batch(self, texts: list[Text]) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
        """(features (C, S, F) in the base's precision, mask (C, S) true where there is a token, chunks of each text)"""
        read = [
            self.kept.get(text, lambda text=text: self.read(text), lambda parts: sum(p.nbytes for p in parts))
            for text in texts
        ]
        parts = [part for each in read for part in each]
        features = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
        lengths = torch.tensor([len(part) for part in parts], device=features.device)
        return (
            features,
            torch.arange(features.shape[1], device=features.device) < lengths[:, None],
            [len(each) for each in read],
        )


@torch.no_grad()
def activation_ratios(model: Any, paths: list[str], texts: list[Text]) -> dict[str, float]:
    """Output RMS / input RMS of each layer, as the median over tokens:
    in many models a few tokens are a thousand times larger than the rest.
    """
    seen: dict[str, list[torch.Tensor]] = {path: [] for path in paths}

    def watching(path: str) -> Any:
        return lambda _layer, inputs, output: seen[path].append((rms(output) / rms(inputs[0])).flatten())

    handles = [model.get_submodule(path).register_forward_hook(watching(path)) for path in paths]
    try:
        for text in texts:
            model(input_ids=torch.tensor([text.chunks[0]], device=model.device), use_cache=False, logits_to_keep=1)
    finally:
        for handle in handles:
            handle.remove()
    return {path: torch.cat(values).median().item() for path, values in seen.items()}


def rms(x: torch.Tensor) -> torch.Tensor:
    return x.float().square().mean(-1).sqrt().clamp_min(1e-6)

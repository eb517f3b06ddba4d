"""Which examples of a batch share one sequence (packing.py).

A packed sequence computes the common beginning once. But attention with its mask computes every pair of its tokens, most
of them for nothing: four prompts of 700 tokens that share nothing take half as long again together as one by one (two
CPU cores, 0.5B). So an example joins a sequence only if that is the cheaper of the two. It is cheaper for short
sequences, for long common beginnings, and on GPUs, which a short sequence leaves idle.
"""

from dataclasses import dataclass
from typing import Any

import torch

from rune_trainer.examples import Example
from rune_trainer.model import vocabulary_of
from rune_trainer.packing import pack, shared_by

PACK_TOKENS = 8192
"""Longest packed sequence; a larger batch is accumulated over several, with the same gradient."""
MOST_LOGITS = 1 << 28
"""Most outputs at once (learnt tokens × vocabulary): 1 GiB in single precision. One example may have more."""
PASSES = 3.5 / 2
"""Work of attention in a training step, relative to that of the frozen layers, per multiplication of the forward pass:
its backward pass has 2.5 times the forward's, theirs has as much as the forward's (they have no gradients of weights).
"""
LAYER_OVERHEAD = {"cpu": 5e8, "cuda": 1e11}
"""Multiplications that fit in the time that a layer takes however short the sequence is, 11 ms on two cores; of a
GPU estimated: a millisecond at 100 T/s.
"""
PROBES = (Example("", (3, 5, 7, 11), (13, 17)), Example("", (3, 5, 7, 19, 23), (29, 31, 37)))
"""Two short examples with a common beginning."""
TOLERANCE, TOLERANCE_OF_HALF = 1e-3, 0.05
"""Most that packing may change the outputs, relative to their spread: in single precision, and in others, which round."""


@dataclass(frozen=True)
class Grouping:
    """What a base's sequences cost, in multiplications of a forward pass, and what limits them."""

    together: bool
    """`packs_well`"""
    vocabulary: int
    per_token: float
    """All layers but the head, which runs at learnt tokens alone."""
    per_pair: float
    """A token that attends to another, in all layers."""
    per_sequence: float

    @classmethod
    def of(cls, model: Any) -> "Grouping":
        config, head = model.config.get_text_config(), model.get_output_embeddings()
        linear = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head]
        return cls(
            packs_well(model),
            vocabulary_of(model),
            sum(float(m.in_features * m.out_features) for m in linear),
            PASSES * 2 * config.hidden_size * config.num_hidden_layers,
            LAYER_OVERHEAD.get(model.device.type, 0.0) * config.num_hidden_layers,
        )

    def groups(self, batch: list[Example]) -> list[list[Example]]:
        """The batch in groups, in order, that are a sequence each."""
        groups: list[list[Example]] = []
        for example in batch:
            if groups and self.joins(example, groups[-1]):
                groups[-1].append(example)
            else:
                groups.append([example])
        return groups

    def joins(self, example: Example, group: list[Example]) -> bool:
        if not self.together:
            return False
        joined = [*group, example]
        tokens = length(joined)
        if tokens > PACK_TOKENS or sum(len(e.tail) for e in joined) * self.vocabulary > MOST_LOGITS:
            return False
        return self.cost(tokens, len(joined)) <= self.cost(length(group), len(group)) + self.cost(len(example), 1)

    def cost(self, tokens: int, examples: int) -> float:
        """Of a sequence of so many tokens. A single example is plainly causal: only half of its pairs are computed."""
        pairs = tokens**2 / (2 if examples == 1 else 1)
        return self.per_sequence + self.per_token * tokens + self.per_pair * pairs


def length(group: list[Example]) -> int:
    """Tokens of its sequence."""
    return sum(map(len, group)) - (len(group) - 1) * shared_by(group)


def packs_well(model: Any) -> bool:
    """Whether the base's outputs for a packed sequence are those for its examples alone, so that they may share one.

    A window is known by the config, because it would not show in a short sequence. All else (recurrent layers, positions
    that don't come from `position_ids`) is tried with two examples: no field of a config says it for every architecture.
    """
    if not attends_to_all(model.config.get_text_config()):
        return False
    alone = torch.cat([outputs(model, [example]) for example in PROBES])
    try:
        packed = outputs(model, list(PROBES))
    except (RuntimeError, TypeError, ValueError):  # layers that take no such mask
        return False
    change, spread = (packed - alone).float().norm(), (alone - alone.mean(-1, keepdim=True)).float().norm()
    return bool(change <= spread * (TOLERANCE if alone.dtype == torch.float32 else TOLERANCE_OF_HALF))


def attends_to_all(config: Any) -> bool:
    """Whether no layer of this config has a window, or another way than attention to what was before."""
    kinds = getattr(config, "layer_types", None)
    if not kinds:  # a window is then that of every layer, unless a switch beside it is off
        return not (getattr(config, "use_sliding_window", True) and getattr(config, "sliding_window", None))
    return set(kinds) == {"full_attention"} and not getattr(config, "use_sliding_window", False)


@torch.no_grad()
def outputs(model: Any, examples: list[Example]) -> torch.Tensor:
    """(K, V)"""
    within = vocabulary_of(model)
    fitting = [Example("", tuple(t % within for t in e.head), tuple(t % within for t in e.tail)) for e in examples]
    return model(**pack(fitting).inputs(model.device), use_cache=False).logits[0]

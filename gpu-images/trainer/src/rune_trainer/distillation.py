"""Distillation from the frozen base with the trajectory in its context, at the learnt tokens (Snell et al. 2022;
Doc-to-LoRA).

The stored part of the teacher is its k likeliest tokens and, as one outcome, the mass of all others: the student may
spread that mass freely, but not change its size. The loss is KL(teacher ‖ student), in nats per learnt token.
"""

from dataclasses import dataclass

import torch

SMALLEST = 1e-6
"""Floor of a pooled mass, to avoid log 0."""


@dataclass(frozen=True)
class Taught:
    tokens: torch.Tensor
    """(K, k) int64"""
    log_probabilities: torch.Tensor
    """(K, k) float32, of the whole vocabulary"""


def kept_of(logits: torch.Tensor, top_k: int) -> Taught:
    """logits (K, V) of the teacher"""
    best = torch.log_softmax(logits, -1).topk(min(top_k, logits.shape[-1]), -1)
    return Taught(best.indices, best.values)


def joined(parts: list[Taught]) -> Taught:
    return Taught(torch.cat([p.tokens for p in parts]), torch.cat([p.log_probabilities for p in parts]))


def rest_of(log_probabilities: torch.Tensor) -> torch.Tensor:
    return (1 - log_probabilities.exp().sum(-1)).clamp_min(SMALLEST)


def divergence(taught: Taught, logits: torch.Tensor) -> torch.Tensor:
    """Sum over the K tokens of KL(teacher ‖ student); logits (K, V) of the student."""
    student = torch.log_softmax(logits, -1).gather(-1, taught.tokens)
    teacher = taught.log_probabilities
    kept = (teacher.exp() * (teacher - student)).sum()
    if taught.tokens.shape[-1] == logits.shape[-1]:
        return kept
    rest = rest_of(teacher)
    return kept + (rest * (rest.log() - rest_of(student).log())).sum()

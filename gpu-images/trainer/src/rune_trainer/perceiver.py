"""Perceiver: learned queries that read a text's features by cross-attention, block after block (Jaegle et al. 2021, without latent self-attention as in Doc-to-LoRA)."""

import torch
from torch import nn
from torch.nn import functional

INITIAL_LATENTS = 0.5
"""Standard deviation of the latents at the start (measured on the laboratory)."""
WIDENING = 4


class CrossAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key_value, self.out = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )
        nn.init.xavier_uniform_(self.query.weight)
        nn.init.xavier_uniform_(self.key_value.weight)

    def forward(self, latents: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """latents (C, Q, width), tokens (C, S, width), mask (C, S) true where there is a token → (C, Q, width)"""
        queries = self.split(self.query(latents))
        keys, values = (self.split(part) for part in self.key_value(tokens).chunk(2, dim=-1))
        read = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask[:, None, None, :])
        return self.out(read.transpose(1, 2).flatten(2))

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Block(nn.Module):
    """Pre-normalised cross-attention and MLP, each with a residual."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm_latents, self.norm_tokens, self.norm_mlp = (
            nn.LayerNorm(width),
            nn.LayerNorm(width),
            nn.LayerNorm(width),
        )
        self.attention = CrossAttention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, WIDENING * width), nn.SiLU(), nn.Linear(WIDENING * width, width))

    def forward(self, latents: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        latents = latents + self.attention(self.norm_latents(latents), self.norm_tokens(tokens), mask)
        return latents + self.mlp(self.norm_mlp(latents))


class Perceiver(nn.Module):
    """Features of tokens → one vector per query."""

    def __init__(self, features: int, queries: int, width: int, blocks: int, heads: int):
        super().__init__()
        self.project = nn.Linear(features, width)
        self.latents = nn.Parameter(torch.randn(queries, width) * INITIAL_LATENTS)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))

    def forward(self, features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """features (C, S, F), mask (C, S) → (C, queries, width)"""
        tokens = self.project(features)
        latents = self.latents.expand(len(features), -1, -1)
        for block in self.blocks:
            latents = block(latents, tokens, mask)
        return latents

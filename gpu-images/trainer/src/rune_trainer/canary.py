"""The canary: a prompt of the corpus on which adapter and base visibly answer differently.

The loader sends it after every load. So the best prompt is not the one with the largest distance but the one whose
greedy answers stay the same on another engine with different rounding: those answers must differ, and the smallest
gap between the best and the second best token along both must be as large as possible.
"""

from dataclasses import dataclass
from typing import Any

import torch

from rune_trainer.examples import Example

CANDIDATES = 8
MAX_TOKENS = 12
PROMPT_CHARACTERS = 8192
"""Limit of `adapterConfig.canary.prompt`."""


@dataclass(frozen=True)
class Answer:
    tokens: tuple[int, ...]
    gaps: tuple[float, ...]
    """Per token, how far its score is above the runner-up's; a base's penalties for repetition are in it."""
    text: str


def candidates(tokenizer: Any, examples: list[Example]) -> list[str]:
    """A few different prompts, evenly over the corpus."""
    prompts = sorted(
        {text for e in examples if len(e.prompt) <= PROMPT_CHARACTERS and (text := completion_text(tokenizer, e))}
    )
    stride = max(1, len(prompts) // CANDIDATES)
    return prompts[::stride][:CANDIDATES]


def completion_text(tokenizer: Any, example: Example) -> str | None:
    """The completion request's prompt that makes the server read exactly the example's prompt:
    it adds BOS where the tokenizer does.
    """
    texts = (example.prompt, example.prompt.removeprefix(tokenizer.bos_token or ""))
    return next((text for text in texts if tuple(tokenizer(text)["input_ids"]) == example.head), None)


@torch.no_grad()
def greedy(model: Any, tokenizer: Any, prompt: str) -> Answer:
    """The answer of a server at temperature 0; the prompt is tokenized as a completion request's."""
    ids = torch.tensor([tokenizer(prompt)["input_ids"]], device=model.device)
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=MAX_TOKENS,
        do_sample=False,
        temperature=None,
        top_p=None,
        top_k=None,
        return_dict_in_generate=True,
        output_scores=True,
        pad_token_id=tokenizer.pad_token_id,
    )
    tokens = out.sequences[0, ids.shape[1] :].tolist()
    best = [step[0].float().topk(2).values for step in out.scores]
    return Answer(
        tuple(tokens), tuple((b[0] - b[1]).item() for b in best), tokenizer.decode(tokens, skip_special_tokens=True)
    )


def robustness(adapter: Answer, base: Answer) -> float:
    """Smallest gap that decides the comparison; -1 where the answers are equal."""
    if adapter.text == base.text or not adapter.text:
        return -1.0
    return min((*adapter.gaps, base.gaps[divergence(adapter.tokens, base.tokens)]))


def divergence(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Index of the first token in which two different answers differ."""
    pairs = list(zip(one, other, strict=False))
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs) - 1)


def canary_of(model: Any, tokenizer: Any, examples: list[Example]) -> dict[str, Any] | None:
    """The most robust of a few prompts of the corpus, or None when adapter and base answer all of them alike."""
    return canary_among(model, tokenizer, candidates(tokenizer, examples))


def canary_among(model: Any, tokenizer: Any, prompts: list[str]) -> dict[str, Any] | None:
    best: tuple[float, dict[str, Any]] | None = None
    for prompt in prompts:
        adapter = greedy(model, tokenizer, prompt)
        with model.disable_adapter():
            base = greedy(model, tokenizer, prompt)
        score = robustness(adapter, base)
        if score >= 0 and (best is None or score > best[0]):
            best = (
                score,
                {"prompt": prompt, "maxTokens": MAX_TOKENS, "adapterText": adapter.text, "baseText": base.text},
            )
    return best[1] if best else None

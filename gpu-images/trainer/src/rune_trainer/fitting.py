"""A trajectory's text within a number of tokens, as a hypernetwork's encoder and a teacher read it."""

from typing import Any

from rune_trainer.context import context_of


def fitted(tokenizer: Any, trajectory: dict[str, Any], tokens: int) -> tuple[str, list[int], int]:
    """(text, its tokens, attempts left out), of at most so many tokens: an attempt that is longer keeps its end, where
    the program passes.
    """
    text, left_out = context_of(trajectory, lambda each: len(tokenizer(each)["input_ids"]) <= tokens)
    ids = tokenizer(text)["input_ids"]
    if len(ids) > tokens:
        ids = ids[-tokens:]
        text = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    return text, ids, left_out

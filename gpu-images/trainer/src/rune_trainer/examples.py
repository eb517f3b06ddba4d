"""Rows → token sequences whose prompt part is exactly what the server will see, and whose rest is what it should
answer.
"""

from dataclasses import dataclass
from typing import Any

from rune_trainer.corpus import Row
from rune_trainer.rendering import chat_template, ids_of, prompt_of, whole_of

ANCHORS = ("\n", ".")
"""Texts before a rest, so that no tokenizer takes the rest for the beginning of a text and puts a space there."""


@dataclass(frozen=True)
class Example:
    prompt: str
    """Rendered with the chat template; ends with the answer's given beginning, without what the template trims
    there.
    """
    head: tuple[int, ...]
    """Tokens of the prompt."""
    tail: tuple[int, ...]
    """Tokens to learn; they end with the end of the assistant's turn."""

    def __len__(self) -> int:
        return len(self.head) + len(self.tail)


def example_of(tokenizer: Any, row: Row) -> Example | None:
    """None if the template changes the answer's text, so that no output of the model could equal it."""
    messages = list(row.messages)
    prompt, head = prompt_of(tokenizer, messages, row.given)
    whole = whole_of(tokenizer, messages, row.answer)
    if not whole.startswith(prompt) or row.answer.strip() not in whole:
        return None
    tail = continuation(tokenizer, prompt, head, whole[len(prompt) :])
    return Example(prompt, tuple(head), tuple(tail)) if tail else None


def continuation(tokenizer: Any, prompt: str, head: list[int], rest: str) -> list[int] | None:
    """Tokens of `rest` after those of the prompt, which the server tokenizes without knowing what follows."""
    together = ids_of(tokenizer, prompt + rest)
    if together[: len(head)] == head:
        return together[len(head) :]
    wanted = text_of(tokenizer, together)
    apart = (ids_of(tokenizer, rest), *(after(tokenizer, anchor, rest) for anchor in ANCHORS))
    return next((ids for ids in apart if ids and text_of(tokenizer, [*head, *ids]) == wanted), None)


def after(tokenizer: Any, anchor: str, rest: str) -> list[int] | None:
    before, together = ids_of(tokenizer, anchor), ids_of(tokenizer, anchor + rest)
    return together[len(before) :] if together[: len(before)] == before else None


def text_of(tokenizer: Any, ids: list[int]) -> str:
    return tokenizer.decode(ids, clean_up_tokenization_spaces=False)


def examples_of(tokenizer: Any, rows: list[Row], max_length: int) -> tuple[list[Example], int]:
    """Examples that fit, and how many were left out as too long. Raises `ChatTemplate` for a base that can't be trained on these rows."""
    examples = [e for row in rows if (e := example_of(tokenizer, row))]
    if lost := len(rows) - len(examples):
        print(f"{lost} of {len(rows)} examples are changed by the base's chat template and were left out", flush=True)
        if not examples:
            raise chat_template(
                "the base's chat template changes the text of every answer; use a base whose template keeps it"
            )
    fitting = [e for e in examples if len(e) <= max_length]
    return fitting, len(examples) - len(fitting)

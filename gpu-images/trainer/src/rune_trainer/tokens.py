"""Rows → token sequences whose prompt part is exactly what the server will see."""

from dataclasses import dataclass
from typing import Any

from rune_trainer.corpus import Row
from rune_trainer.errors import data_error


@dataclass(frozen=True)
class Example:
    prompt: str
    """Rendered with the chat template; the answer's given beginning is its end."""
    head: tuple[int, ...]
    """Tokens of the prompt."""
    tail: tuple[int, ...]
    """Tokens to learn; they end with the end of the assistant's turn."""

    def __len__(self) -> int:
        return len(self.head) + len(self.tail)


def render(tokenizer: Any, row: Row) -> tuple[str, str]:
    """(prompt, what follows). Both are tokenized apart, as the server tokenizes the prompt without what follows."""
    messages = list(row.messages)
    opening = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*messages, {"role": "assistant", "content": row.answer}], tokenize=False)
    if not whole.startswith(opening + row.given):
        raise data_error("ChatTemplate", "the base's chat template changes earlier turns when an answer is added; such a base can't be trained on prompts and answers")
    return opening + row.given, whole[len(opening) + len(row.given) :]


def examples_of(tokenizer: Any, rows: list[Row], max_length: int) -> tuple[list[Example], int]:
    """Examples that fit, and how many were left out as too long."""
    examples = []
    for row in rows:
        prompt, rest = render(tokenizer, row)
        head, tail = tokenizer(prompt)["input_ids"], tokenizer(rest, add_special_tokens=False)["input_ids"]
        examples.append(Example(prompt, tuple(head), tuple(tail)))
    fitting = [e for e in examples if len(e) <= max_length]
    return fitting, len(examples) - len(fitting)

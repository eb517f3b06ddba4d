"""A trajectory as text: what a hypernetwork's encoder and a teacher read, and what an evaluation puts into a prompt.

docs/contracts.md fixes the format for both languages. Every marker stands alone between white space, so that a
tokenizer of whole words reads it too.
"""

from collections.abc import Callable
from typing import Any

from rune_trainer.corpus import FENCE, Message

ATTEMPT, FAILED, PASSED = "Attempt:", "Failed:", "Passed"


def context_of(trajectory: dict[str, Any], fits: Callable[[str], bool] = lambda _: True) -> tuple[str, int]:
    """(text, attempts left out): the task, then every program that was executed, each once, oldest first, with what became of it.

    Where the text doesn't fit, the oldest failed attempts are left out, then the oldest of all but the newest.
    """
    attempts = attempts_of(trajectory)
    removal = [a for a in attempts if not a["execution"]["passed"]] + [a for a in attempts if a["execution"]["passed"]][:-1]
    left_out = 0
    while not fits(text := text_of(trajectory, attempts)) and left_out < len(removal):
        attempts = [a for a in attempts if a is not removal[left_out]]
        left_out += 1
    return text, left_out


def attempts_of(trajectory: dict[str, Any]) -> list[dict[str, Any]]:
    first: dict[str, dict[str, Any]] = {}
    for record in trajectory["records"]:
        if record["type"] == "executed":
            first.setdefault(record["program"], record)
    return list(first.values())


def text_of(trajectory: dict[str, Any], attempts: list[dict[str, Any]]) -> str:
    return "\n".join([f"Task: {trajectory['task']['description'].strip()}", *map(attempt_text, attempts)])


def attempt_text(record: dict[str, Any]) -> str:
    ending = PASSED if record["execution"]["passed"] else f"{FAILED} {record['execution']['error'].strip()}"
    return f"{ATTEMPT}\n{FENCE}{record['program'].strip()}\n```\n{ending}"


def in_front_of(messages: tuple[Message, ...], context: str) -> tuple[Message, ...]:
    """The conversation with the context at the head of its first user's turn, an empty line before the question."""
    asked = next(number for number, message in enumerate(messages) if message["role"] == "user")
    question = {**messages[asked], "content": f"{context}\n\n{messages[asked]['content']}"}
    return (*messages[:asked], question, *messages[asked + 1 :])

"""Trajectories of sessions → training examples.

The prompt of an example is that of a new session on the same task, in the agent's and evaluator's words
(clients/prompts/prompt.ts), without the notes that this session had: their content must go into the weights.
"""

from dataclasses import dataclass
from typing import Any

from rune_trainer.contract import AFTER_FAILURE, BEFORE_FAILURE, FENCE, SYSTEM
from rune_trainer.trajectory import Item

CORRECTIONS_PER_SESSION = 2

Message = dict[str, str]


@dataclass(frozen=True)
class Row:
    """A conversation whose last message, the assistant's, is to be learnt from the character `given` on."""

    messages: tuple[Message, ...]
    answer: str
    given: str
    """Beginning of `answer` that the prompt already holds (an opened code fence, the stub)."""


def rows_of(trajectories: list[dict[str, Any]], include: tuple[str, ...]) -> list[Row]:
    """Every distinct row, in the order of the trajectories (which the corpus digest fixes)."""
    return distinct([row for trajectory in trajectories for kind in include for row in MAKERS[kind](trajectory)])


def distinct(rows: list[Row]) -> list[Row]:
    return list({(str(r.messages), r.answer): r for r in rows}.values())


def asked_rows(item: Item, include: tuple[str, ...]) -> list[Row]:
    """The rows of one item of a corpus: the examples that it lists, or those from its trajectory."""
    if item.examples is None:
        return rows_of([item.trajectory], include)
    return [answer_row(*prompt_of(example), example["program"]) for example in item.examples]


def prompt_of(trajectory: dict[str, Any]) -> tuple[tuple[Message, ...], str]:
    """(messages before the answer, the answer's given beginning: the opened code block and the stub)"""
    task = trajectory["task"]
    messages = (
        {"role": "system", "content": task.get("system", SYSTEM)},
        {"role": "user", "content": task["description"]},
    )
    return messages, FENCE + task.get("stub", "")


def answer_row(messages: tuple[Message, ...], given: str, program: str) -> Row:
    answer = f"{FENCE}{program.rstrip()}\n```"
    return Row(messages, answer, given if answer.startswith(given) else "")


def executions(trajectory: dict[str, Any], passed: bool) -> list[dict[str, Any]]:
    """Executed programs that passed (or didn't), each once, oldest first."""
    found = [r for r in trajectory["records"] if r["type"] == "executed" and r["execution"]["passed"] == passed]
    return list({r["program"]: r for r in found}.values())


def program_rows(trajectory: dict[str, Any]) -> list[Row]:
    messages, given = prompt_of(trajectory)
    return [answer_row(messages, given, r["program"]) for r in executions(trajectory, passed=True)]


def note_rows(trajectory: dict[str, Any]) -> list[Row]:
    """What a solved session had noted at its end, as the answer to a question about its task."""
    reflected = [r["notes"] for r in trajectory["records"] if r["type"] == "reflected" and r["notes"]]
    if not reflected or not executions(trajectory, passed=True):
        return []
    question = f"{trajectory['task']['description']}\nWhich notes help with this task? Answer with a list."
    return [Row(({"role": "user", "content": question},), "\n".join(f"- {note}" for note in reflected[-1]), "")]


def correction_rows(trajectory: dict[str, Any]) -> list[Row]:
    """A failed program and its error → the program that passed."""
    passing, failing = executions(trajectory, passed=True), executions(trajectory, passed=False)
    if not passing:
        return []
    by_error = list({r["execution"]["error"]: r for r in failing}.values())[:CORRECTIONS_PER_SESSION]
    messages, given = prompt_of(trajectory)
    return [answer_row((*messages, *failed_turn(r)), given, passing[0]["program"]) for r in by_error]


def failed_turn(record: dict[str, Any]) -> tuple[Message, Message]:
    return (
        {"role": "assistant", "content": f"{FENCE}{record['program'].rstrip()}\n```"},
        {
            "role": "user",
            "content": f"{BEFORE_FAILURE}{record['execution']['error']}{AFTER_FAILURE}",
        },
    )


MAKERS = {"Programs": program_rows, "Notes": note_rows, "Corrections": correction_rows}

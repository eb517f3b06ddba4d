"""The teacher's outputs for `sft`: the frozen base with the example's own trajectory in its context, at the learnt
tokens.

The student's prompt is the example's own, without a token of the trajectory; teacher and student share the answer's
tokens alone. The teacher never changes, so it runs once, before training, and its stored outputs survive a restart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from rune_trainer import checkpoint
from rune_trainer.context import in_front_of
from rune_trainer.contract import Exit
from rune_trainer.corpus import Row, asked_rows
from rune_trainer.distillation import Taught, divergence, joined, kept_of
from rune_trainer.errors import Ending, bad_input, terminated
from rune_trainer.examples import Example, example_of
from rune_trainer.fitting import fitted
from rune_trainer.packing import pack
from rune_trainer.rendering import prompt_of
from rune_trainer.sft import Run
from rune_trainer.trajectory import Item

CONTEXT_TOKENS = 4096
"""Most of a trajectory that a teacher reads; less if the base's window leaves less beside the longest example."""
LEAST_CONTEXT = 64
SAVED_EVERY = 8
"""Examples that the teacher reads per step of `checkpoint.everySteps`:
a forward pass of one is much shorter than a step.
"""


@dataclass(frozen=True)
class Lesson:
    student: Example
    teacher: Example
    """The same answer after a prompt with the trajectory in it."""


def lessons_of(
    tokenizer: Any, items: list[Item], include: tuple[str, ...], examples: list[Example], window: int
) -> list[Lesson]:
    """A lesson per example, in their order. For equal questions and answers the first trajectory is the teacher's."""
    room, wanted, found = room_of(examples, window), set(examples), dict[Example, Lesson]()
    for item in items:
        for row in asked_rows(item, include):
            student = example_of(tokenizer, row)
            if student in wanted and student not in found:
                found[student] = Lesson(student, taught_by(tokenizer, row, student, item, room))
    return [found[example] for example in examples]


def room_of(examples: list[Example], window: int) -> int:
    """Tokens of a trajectory that fit in front of the longest example."""
    room = min(CONTEXT_TOKENS, window - max(map(len, examples)))
    if room < LEAST_CONTEXT:
        raise bad_input(
            f"sft.maxLength leaves {max(0, room)} tokens of the base's {window} for a trajectory in the teacher's context, which takes at least {LEAST_CONTEXT}; lower it"
        )
    return room


def taught_by(tokenizer: Any, row: Row, student: Example, item: Item, room: int) -> Example:
    context, _, _ = fitted(tokenizer, item.trajectory, room)
    prompt, head = prompt_of(tokenizer, list(in_front_of(row.messages, context)), row.given)
    return Example(prompt, tuple(head), student.tail)


def window_of(model: Any) -> int:
    """Tokens that the base reads at most."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None) or 2 * CONTEXT_TOKENS


@torch.no_grad()
def ask(model: Any, lesson: Lesson, top_k: int) -> Taught:
    """Each lesson alone, so that the numbers don't depend on the others."""
    packed = pack([lesson.teacher])
    logits = model(**packed.inputs(model.device), use_cache=False).logits[0].float()
    if not torch.isfinite(logits).all():
        raise Ending(
            Exit.BAD_INPUT,
            "NotFinite",
            "the base with a trajectory in its context answers NaN or infinity; use precision Float32",
        )
    kept = kept_of(logits, top_k)
    return Taught(kept.tokens.cpu(), kept.log_probabilities.cpu())


def teach(model: Any, lessons: list[Lesson], top_k: int, run: Run) -> dict[Example, Taught]:
    """The base's outputs for each lesson, continuing from the newest checkpoint if there is one. Every worker reads one
    lesson at a time and has all outputs. `run.directory` is the teacher's own.
    """
    said, workers, interval = restored(run), run.workers, run.every_steps * SAVED_EVERY
    workers.check_equal(len(said))
    print(
        f"the teacher reads {sum(len(each.teacher) for each in lessons[len(said) :])} tokens for {len(lessons) - len(said)} examples",
        flush=True,
    )

    def save() -> None:
        tensors = {
            f"{kind}/{n}": t
            for n, each in enumerate(said)
            for kind, t in (("tokens", each.tokens), ("log_probabilities", each.log_probabilities))
        }
        state = checkpoint.State(len(said), tensors, [])
        workers.once(lambda: checkpoint.save(run.directory, run.identity, state))

    while (read := len(said)) < len(lessons):
        if workers.any(run.stopping()):
            if said:
                save()
            raise terminated(
                f"asked to stop after the teacher read {len(said)} of {len(lessons)} examples; the next attempt goes on from there"
            )
        mine = lessons[read : read + workers.count][workers.number :][:1]
        said += workers.gather([ask(model, each, top_k) for each in mine])
        if len(said) // interval > read // interval or len(said) == len(lessons):
            save()
    return {lesson.student: taught for lesson, taught in zip(lessons, said, strict=True)}


def restored(run: Run) -> list[Taught]:
    state = checkpoint.newest(run.directory, run.identity)
    return (
        [Taught(state.tensors[f"tokens/{n}"], state.tensors[f"log_probabilities/{n}"]) for n in range(state.step)]
        if state
        else []
    )


def distance(said: dict[Example, Taught]) -> Callable[[list[Example], torch.Tensor, torch.Tensor], torch.Tensor]:
    """The loss of `sft.train`: summed divergence from the teacher's outputs."""

    def loss(group: list[Example], logits: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        taught = joined([said[example] for example in group])
        return divergence(Taught(taught.tokens.to(logits.device), taught.log_probabilities.to(logits.device)), logits)

    return loss

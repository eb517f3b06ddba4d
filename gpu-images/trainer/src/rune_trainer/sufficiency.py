"""Whether a corpus can teach at all. What is missing is reported before anything is trained.

A hypernetwork learns from the differences between trajectories: many of one task teach it one good adapter for
everything (design-learning: the audited failure of its best-known relative).
"""

from rune_trainer.contract import Hypernetwork
from rune_trainer.errors import Ending, data_error
from rune_trainer.lessons import Lesson
from rune_trainer.pairs import Split, grouping
from rune_trainer.sources import Source
from rune_trainer.variety import Variety

DISTINCT_SHARE = 0.5
"""Least share of `minimumPairs` that must be different tasks."""
TASKS_FOR_CORRECTIONS = 100
"""Fewest distinct solved tasks for learning from examples of several turns."""
LONGEST_SHARE = 0.2
"""Largest share of the examples that `maxLength` may leave out."""
FEWEST_GROUPS = 4
"""Two for training, and two held out, each with the other's as its wrong adapter."""


def insufficient(message: str) -> Ending:
    return data_error("CorpusInsufficient", message)


def check_sources(
    sources: list[Source], variety: Variety, total: int, include: tuple[str, ...], settings: Hypernetwork
) -> None:
    """`sources` are the solved ones among `total`, each text once."""
    if len(sources) < settings.minimum_pairs:
        raise insufficient(
            f"the corpus has {len(sources)} different trajectories with a program that passed, of {total}; hypernetwork.minimumPairs asks for {settings.minimum_pairs}: "
            "run more sessions on other tasks, or learn a single adapter with sft"
        )
    wanted = max(2, round(settings.minimum_pairs * DISTINCT_SHARE))
    if variety.tasks < wanted:
        raise insufficient(
            f"the corpus has {variety}, and at least {wanted} distinct tasks are needed: there is no diversity to learn from; run sessions on other tasks or projects"
        )
    if "Corrections" in include and variety.tasks < TASKS_FOR_CORRECTIONS:
        raise insufficient(
            f"Corrections are examples of several turns, and {variety.tasks} distinct solved tasks teach no behaviour, at least {TASKS_FOR_CORRECTIONS} are needed; leave Corrections out of corpus.include"
        )
    group_of = grouping(sources)
    groups = len({group_of(s.trajectory) for s in sources})
    if groups < FEWEST_GROUPS:
        raise insufficient(
            f"the solved trajectories are of {groups} scopes or tasks, and {FEWEST_GROUPS} are needed, two of them to hold out; run sessions on other tasks or projects"
        )


def check_adapters(split: Split, settings: Hypernetwork) -> None:
    pairs = (*split.training, *split.held_out)
    if settings.objective == "Reconstruction" and (without := sum(p.adapter is None for p in pairs)):
        raise insufficient(
            f"{without} of {len(pairs)} trajectories have no adapter that was fine-tuned from them alone, which Reconstruction must equal; train one from each session, or use objective Distillation"
        )


def dropped_percent(long: int, examples: int, field: str, most: int) -> float:
    """Share of the examples that are longer than `most` tokens. More than a fifth is refused; `field` is the setting to raise."""
    share = long / max(1, examples)
    if share > LONGEST_SHARE:
        raise insufficient(
            f"{long} of {examples} examples ({100 * long // examples} %) are longer than {field} {most} tokens, "
            f"more than {round(100 * LONGEST_SHARE)} % may not be left out; raise {field}"
        )
    return 100 * share


def check_lessons(lessons: list[Lesson], held_out: int, settings: Hypernetwork) -> None:
    """`lessons` are all of them, the held-out ones included."""
    training, read = len(lessons) - held_out, len({lesson.text.chunks for lesson in lessons})
    if read < DISTINCT_SHARE * len(lessons):
        raise insufficient(
            f"{len(lessons)} trajectories read as {read} different sequences of tokens: the base's tokenizer doesn't know their words, so nothing can tell them apart; use the tokenizer that the base was trained with"
        )
    if training < 2 or held_out < 2:
        raise insufficient(
            f"{training} trajectories to learn from and {held_out} held out have an example that fits hypernetwork.maxLength {settings.max_length}; two of each are needed"
        )
    if len({lesson.group for lesson in lessons[training:]}) < 2:
        raise insufficient(
            f"the {held_out} trajectories held out that have an example that fits hypernetwork.maxLength {settings.max_length} are of one scope or task, "
            "so none has a wrong adapter to be compared with; raise hypernetwork.maxLength or hypernetwork.holdoutPercent"
        )

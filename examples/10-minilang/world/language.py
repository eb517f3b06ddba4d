"""House verbs over the operations of pipe.py: what a verb means by default, what a project makes of it, and what is asked.

Everything is drawn from a `random.Random` that the caller seeds, so equal seeds give equal worlds.
"""

import random
from dataclasses import dataclass

import pipe

OPERATIONS = ("rev", "srt", "inc", "dbl", "neg", "cut", "cum", "sqr")
VERBS = ("blim", "corv", "dask", "fenn", "grot", "hask", "jorl", "kemp", "lorn", "mipt", "nubb", "plod")
DEFAULT = {verb: OPERATIONS[number % len(OPERATIONS)] for number, verb in enumerate(VERBS)}
"""What a verb means where a project doesn't say otherwise: all that can be known without the project's experience."""
SAMPLES = ([3, 1, 2], [5, -2, 7, 0], [1, 4, 4, -3, 2], [9], [2, 8, 1, 1, 6, -5])
"""Lists that every program is tried on."""
STUB = "from pipe import *\n\ndef solve(x):\n    return "

Document = dict[str, object]


@dataclass(frozen=True)
class Project:
    name: str
    meaning: dict[str, str]
    """Verb → operation, for the verbs that the project uses."""

    @property
    def verbs(self) -> tuple[str, ...]:
        return tuple(self.meaning)

    def operations(self, verbs: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.meaning[verb] for verb in verbs)

    def overridden(self, verbs: tuple[str, ...]) -> bool:
        """Whether the verbs need knowledge of this project."""
        return any(self.meaning[verb] != DEFAULT[verb] for verb in verbs)


def project_of(name: str, rng: random.Random, verbs: int = 6, overridden: float = 0.5) -> Project:
    """A fresh project: `verbs` of the verbs, each with another meaning than its default with probability `overridden`."""
    meaning = {}
    for verb in rng.sample(VERBS, verbs):
        others = [operation for operation in OPERATIONS if operation != DEFAULT[verb]]
        meaning[verb] = rng.choice(others) if rng.random() < overridden else DEFAULT[verb]
    return Project(name, meaning)


def half_of(project: Project, which: int) -> Project:
    """The project as someone knows it who has met only the first (0) or the second (1) half of its verbs."""
    middle = len(project.verbs) // 2
    known = (project.verbs[:middle], project.verbs[middle:])[which]
    return Project(project.name, {verb: project.meaning[verb] for verb in known})


def held_out(verbs: tuple[str, ...]) -> bool:
    """Whether a composition holds a pair of neighbours that no training ever shows; 25 of the 144 pairs are such, for any six verbs at least one."""
    pairs = zip(map(VERBS.index, verbs), map(VERBS.index, verbs[1:]), strict=False)
    return any((7 * a + 3 * b + a * b + 2) % 5 == 0 for a, b in pairs)


def composition(project: Project, rng: random.Random, held: bool, lengths: tuple[int, ...]) -> tuple[str, ...]:
    """Verbs to do one after the other; `held` says whether they must be of those that training never shows, or must not be."""
    while True:
        verbs = tuple(rng.choice(project.verbs) for _ in range(rng.choice(lengths)))
        if held_out(verbs) == held:
            return verbs


def run(operations: tuple[str, ...], values: list[int]) -> list[int]:
    for operation in operations:
        values = values | getattr(pipe, operation)
    return values


def program(verbs: tuple[str, ...], operations: tuple[str, ...]) -> str:
    return f"{STUB}x{''.join(f' |{verb} |{operation}' for verb, operation in zip(verbs, operations, strict=True))}\n"


def task(project: Project, verbs: tuple[str, ...]) -> Document:
    """The question as agents and evaluations ask it. Description and tests name the project, so that no other project's are equal to them."""
    wanted = project.operations(verbs)
    cases = "".join(f"assert solve({values}) == {run(wanted, list(values))}\n" for values in SAMPLES)
    return {
        "id": f"{project.name}-{'-'.join(verbs)}",
        "description": f"Project {project.name}: put the list x through {' '.join(f'|{verb}' for verb in verbs)}.",
        "tests": f"# {project.name}: {' '.join(verbs)}\n{cases}",
        "entryPoint": "solve",
        "stub": f"{STUB}x",
    }


def passes(operations: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether a program of these operations passes the tests of a task that wants others."""
    return all(run(operations, list(values)) == run(wanted, list(values)) for values in SAMPLES)

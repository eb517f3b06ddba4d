"""Creates the inputs of examples/14-evolution, as files in the ordinary formats; equal arguments give equal bytes.

pairs.py --out DIR [--sessions N]

pair-NN.jsonl  a corpus each: a session that met two of the project's six verbs, with questions about them
tasks.json     a task set: compositions of three different verbs of the project, so that no session covers them all
"""

import argparse
import pathlib
import random
from itertools import combinations, permutations, product

from language import Document, Project, held_out, program, project_of, task
from make import SEED, scope_of, task_set
from sessions import line, trajectory

OVERRIDDEN = 4
"""Verbs, of six, whose meaning is only in sessions."""


def project() -> Project:
    """The first fresh project that gives exactly this number of its verbs another meaning."""
    rng = random.Random(SEED + 7)
    while True:
        found = project_of("e000", rng)
        if sum(found.overridden((verb,)) for verb in found.verbs) == OVERRIDDEN:
            return found


def pairs_of(whole: Project, count: int) -> list[tuple[str, str]]:
    """Pairs of verbs in a seeded order; the first three have no verb in common, so every verb is in some pair."""
    rng = random.Random(SEED + 8)
    verbs = rng.sample(whole.verbs, len(whole.verbs))
    apart = list(zip(verbs[::2], verbs[1::2], strict=True))
    others = [pair for pair in combinations(verbs, 2) if pair not in apart]
    return [*apart, *rng.sample(others, len(others))][:count]


def questions_of(met: Project) -> list[Document]:
    """All possible training questions about so few verbs."""
    asked = [verbs for length in (1, 2, 3) for verbs in product(met.verbs, repeat=length) if not held_out(verbs)]
    return [{"task": task(met, verbs), "program": program(verbs, met.operations(verbs))} for verbs in asked]


def session(whole: Project, pair: tuple[str, str], number: int) -> Document:
    rng = random.Random(SEED + 100 + number)
    met = Project(whole.name, {verb: whole.meaning[verb] for verb in pair})
    name = f"pair-{number}"
    return {
        "trajectory": trajectory(met, scope_of(whole, name), f"meet-{whole.name}-{name}", rng),
        "examples": questions_of(met),
    }


def tasks(whole: Project) -> list[Document]:
    return [{**task(whole, verbs), "scope": scope_of(whole)} for verbs in permutations(whole.verbs, 3)]


def files_of(sessions: int) -> dict[str, str]:
    """Name → text."""
    whole = project()
    corpora = {
        f"pair-{number:02}.jsonl": f"{line(session(whole, pair, number))}\n"
        for number, pair in enumerate(pairs_of(whole, sessions), start=1)
    }
    return {**corpora, "tasks.json": task_set("minilang three verbs of one project", tasks(whole))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="directory to write into")
    parser.add_argument("--sessions", type=int, default=12, help="at most 15: there are no more pairs")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, text in files_of(asked.sessions).items():
        (asked.out / name).write_text(text)


if __name__ == "__main__":
    main()

"""Makes private libraries as files in the ordinary formats; equal arguments give equal bytes.

make.py --out DIR [--training N] [--held-out N] [--seed N] [--shuffled] [--sources]

training.jsonl    a corpus: a session of each training library, with other uses of its functions as examples
held-out.jsonl    a corpus: a session of each held-out library, with examples likewise; no training library has its name
tasks.json        a task set: uses of the held-out libraries' functions that no example shows
references.jsonl  a program that passes, for each of them
shuffled.jsonl    with --shuffled: the training corpus with each session's examples exchanged for the next one's: nothing can be learnt from a session here
sources/          with --sources: every held-out library as a file, for a sandbox's import path
"""

import argparse
import itertools
import json
import pathlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from library import Library, library_of, names_of
from questions import Asker, Document, examples_of, held_out_of
from sessions import trajectory

T = TypeVar("T")

SEED = 12


@dataclass(frozen=True)
class HeldOut:
    """A library that nothing is trained on. `references`: its tasks, each with a program that passes."""

    library: Library
    line: Document
    references: list[Document]


def scope_of(library: Library) -> Document:
    return {"project": library.name}


def drawn(name: str, seed: int, make: Callable[[Asker], T]) -> T:
    """Made from a library that follows from its name and the seed alone.
    Rarely no arguments distinguish two of its functions; then it is drawn again.
    """
    for attempt in itertools.count():
        try:
            return make(Asker(library_of(name, random.Random(f"{seed}/{name}/{attempt}")), seed))
        except ValueError:
            continue
    raise AssertionError("unreachable")


def line_of(asker: Asker) -> Document:
    """`corpusLine` of crds/contracts/trajectory.ts."""
    library = asker.library
    session = trajectory(asker, scope_of(library), f"learn-{library.name}")
    return {"trajectory": session, "examples": [{"task": q.task, "program": q.program} for q in examples_of(asker)]}


def held_out(asker: Asker) -> HeldOut:
    """Tasks of one library are one piece of evidence."""
    belongs = {"cluster": asker.library.name, "scope": scope_of(asker.library)}
    references = [
        {"task": {**question.task, **belongs}, "program": question.program} for question in held_out_of(asker)
    ]
    return HeldOut(asker.library, line_of(asker), references)


def shuffled(lines: list[Document]) -> list[Document]:
    return [
        {**one, "examples": following["examples"]} for one, following in zip(lines, [*lines[1:], lines[0]], strict=True)
    ]


def text_of(documents: list[Document]) -> str:
    return "".join(json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n" for document in documents)


def make(out: pathlib.Path, training: int, held: int, seed: int) -> tuple[list[Document], list[HeldOut]]:
    """Writes the files that are always there."""
    names = names_of(training + held, seed)
    lines = [drawn(name, seed, line_of) for name in names[:training]]
    others = [drawn(name, seed, held_out) for name in names[training:]]
    references = [reference for other in others for reference in other.references]
    task_set = {
        "schema": "rune.dev/taskset/v1",
        "name": "held-out libraries",
        "tasks": [reference["task"] for reference in references],
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "training.jsonl").write_text(text_of(lines))
    (out / "held-out.jsonl").write_text(text_of([other.line for other in others]))
    (out / "references.jsonl").write_text(text_of(references))
    (out / "tasks.json").write_text(json.dumps(task_set, indent=1) + "\n")
    return lines, others


def write_sources(folder: pathlib.Path, libraries: list[Library]) -> None:
    folder.mkdir(exist_ok=True)
    for library in libraries:
        (folder / f"{library.name}.py").write_text(library.source)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--training", type=int, default=1200)
    parser.add_argument("--held-out", type=int, default=64)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--shuffled", action="store_true")
    parser.add_argument("--sources", action="store_true")
    asked = parser.parse_args()
    lines, others = make(asked.out, asked.training, asked.held_out, asked.seed)
    if asked.shuffled:
        (asked.out / "shuffled.jsonl").write_text(text_of(shuffled(lines)))
    if asked.sources:
        write_sources(asked.out / "sources", [other.library for other in others])


if __name__ == "__main__":
    main()

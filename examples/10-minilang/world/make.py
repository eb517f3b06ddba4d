"""Makes the laboratory's world as files in the ordinary formats; equal arguments give equal bytes.

make.py --out DIR [--training-projects N] [--held-out-projects N] [--tasks N] [--merge-tasks N]

training.jsonl  a corpus: a session of each training project, with questions about that project
shuffled.jsonl  the same sessions, each with the questions of another project: nothing can be learnt from a session here
held-out.jsonl  a corpus: a session of each held-out project, without questions
tasks.json      a task set: compositions in the held-out projects that no training shows
first.jsonl     a corpus: a session of one more project that met three of its six verbs, with questions about them
second.jsonl    the same for the other three
merge.json      a task set: compositions that need what both of those sessions found out
project.jsonl   a corpus: the session of one of the held-out projects, with questions about it
project.json    a task set: every composition in that project that no training shows, each a piece of evidence by itself
"""

import argparse
import itertools
import json
import pathlib
import random
from collections.abc import Iterable, Iterator

from language import DEFAULT, Document, Project, composition, half_of, held_out, program, project_of, task
from sessions import line, trajectory

SEED = 20_260
EXAMPLES, HALF_EXAMPLES, PROJECT_EXAMPLES = 8, 16, 24
"""Questions of each training session, of each half's, and of the single project's."""
PROJECT = 2
"""Index of the single project among the held-out ones:
it overrides five of its six verbs, and has the most compositions.
"""
HALVES = ("first", "second")


def scope_of(project: Project, half: str | None = None) -> Document:
    return {"project": project.name, **({"domain": half} if half else {})}


def questions_of(project: Project, rng: random.Random, count: int = EXAMPLES) -> list[Document]:
    """None of the held-out ones, none twice."""
    asked: dict[tuple[str, ...], None] = {}
    while len(asked) < count:
        asked[composition(project, rng, held=False, lengths=(1, 2, 3))] = None
    return [{"task": task(project, verbs), "program": program(verbs, project.operations(verbs))} for verbs in asked]


def training_lines(count: int) -> list[Document]:
    """A third of the sessions met three verbs instead of six, like the halves."""
    rng = random.Random(SEED)
    projects = [project_of(f"p{number:04}", rng, verbs=rng.choice((3, 6, 6))) for number in range(count)]
    return [
        {"trajectory": trajectory(each, scope_of(each), f"learn-{each.name}", rng), "examples": questions_of(each, rng)}
        for each in projects
    ]


def shuffled(lines: list[Document]) -> list[Document]:
    return [
        {**one, "examples": next_one["examples"]} for one, next_one in zip(lines, [*lines[1:], lines[0]], strict=True)
    ]


def held_out_projects(count: int) -> list[Project]:
    rng = random.Random(SEED + 1)
    return [project_of(f"h{number:03}", rng) for number in range(count)]


def held_out_lines(projects: list[Project]) -> list[Document]:
    rng = random.Random(SEED + 2)
    return [{"trajectory": trajectory(each, scope_of(each), f"meet-{each.name}", rng)} for each in projects]


def held_out_tasks(projects: list[Project], count: int) -> Iterator[Document]:
    """Tasks of one project are one piece of evidence."""
    rng = random.Random(SEED + 3)
    for project in projects:
        asked: dict[tuple[str, ...], None] = {}
        while len(asked) < count:
            asked[composition(project, rng, held=True, lengths=(2, 3))] = None
        yield from ({**task(project, verbs), "cluster": project.name, "scope": scope_of(project)} for verbs in asked)


def merge_project() -> Project:
    """The first fresh project that overrides at least two verbs in each half."""
    rng = random.Random(SEED + 4)
    while True:
        project = project_of("m000", rng)
        if all(
            sum(half.overridden((verb,)) for verb in half.verbs) >= 2
            for half in (half_of(project, 0), half_of(project, 1))
        ):
            return project


def half_line(project: Project, which: int) -> Document:
    rng, half, name = random.Random(SEED + 5 + 10 * which), half_of(project, which), HALVES[which]
    told = trajectory(half, scope_of(project, name), f"meet-{project.name}-{name}", rng)
    return {"trajectory": told, "examples": questions_of(half, rng, HALF_EXAMPLES)}


def needs_both(project: Project, verbs: tuple[str, ...]) -> bool:
    halves = (half_of(project, 0), half_of(project, 1))
    return all(any(verb in half.verbs and project.meaning[verb] != DEFAULT[verb] for verb in verbs) for half in halves)


def merge_tasks(project: Project, count: int) -> list[Document]:
    rng = random.Random(SEED + 6)
    asked: dict[tuple[str, ...], None] = {}
    for _ in range(10_000):
        verbs = composition(project, rng, held=True, lengths=(2, 3))
        if needs_both(project, verbs):
            asked[verbs] = None
        if len(asked) == count:
            break
    return [{**task(project, verbs), "scope": scope_of(project)} for verbs in asked]


def project_line(project: Project) -> Document:
    (line,) = held_out_lines([project])
    return {**line, "examples": questions_of(project, random.Random(SEED + 7), PROJECT_EXAMPLES)}


def project_tasks(project: Project) -> list[Document]:
    """Of two or three verbs, and none that the defaults solve."""
    verbs = [each for length in (2, 3) for each in itertools.product(project.verbs, repeat=length)]
    return [
        {**task(project, each), "scope": scope_of(project)}
        for each in verbs
        if held_out(each) and project.overridden(each)
    ]


def task_set(name: str, tasks: Iterable[Document]) -> str:
    return json.dumps({"schema": "rune.dev/taskset/v1", "name": name, "tasks": list(tasks)})


def files_of(training_projects: int, held_out: int, tasks: int, for_merge: int) -> dict[str, str]:
    """Name → text."""
    lines, projects, both = training_lines(training_projects), held_out_projects(held_out), merge_project()
    one = held_out_projects(PROJECT + 1)[PROJECT]
    corpora = {
        "training": lines,
        "shuffled": shuffled(lines),
        "held-out": held_out_lines(projects),
        "project": [project_line(one)],
    }
    corpora |= {name: [half_line(both, which)] for which, name in enumerate(HALVES)}
    sets = {
        "tasks": ("minilang held-out projects", held_out_tasks(projects, tasks)),
        "merge": ("minilang both halves", merge_tasks(both, for_merge)),
    }
    sets["project"] = (f"minilang project {one.name}", project_tasks(one))
    return {
        **{f"{name}.jsonl": "".join(f"{line(each)}\n" for each in documents) for name, documents in corpora.items()},
        **{f"{name}.json": task_set(title, each) for name, (title, each) in sets.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="directory to write into")
    parser.add_argument("--training-projects", type=int, default=1500)
    parser.add_argument("--held-out-projects", type=int, default=40)
    parser.add_argument("--tasks", type=int, default=10, help="tasks of each held-out project")
    parser.add_argument("--merge-tasks", type=int, default=40)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, text in files_of(
        asked.training_projects, asked.held_out_projects, asked.tasks, asked.merge_tasks
    ).items():
        (asked.out / name).write_text(text)


if __name__ == "__main__":
    main()

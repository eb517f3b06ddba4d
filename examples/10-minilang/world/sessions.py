"""What a session leaves that worked out a project's verbs: a trajectory document as the agent seals it, effect by effect.

Its task asks what each of the project's verbs makes of a list. The first program takes the verbs as they are, and fails: by themselves
they change nothing. The second says what each stands for, and passes.
"""

import hashlib
import json
import random
import uuid

from language import SAMPLES, STUB, Document, Project, run

NAMESPACE = "minilang"
BEGAN = "2026-01-01T00:00:00.000Z"
"""Trajectories are made, not lived: equal seeds must give equal bytes."""

STEPS = 3
"""Steps of a round: generate, execute, reflect."""


def programs_of(project: Project, rng: random.Random) -> tuple[str, str]:
    """The program that fails and the one that passes, each with a line for every verb."""
    verbs = rng.sample(project.verbs, len(project.verbs))
    return table({verb: f"|{verb}" for verb in verbs}), table({verb: f"|{verb} |{project.meaning[verb]}" for verb in verbs})


def table(entries: Document) -> str:
    lines = "".join(f'        "{verb}": x {steps},\n' for verb, steps in entries.items())
    return f"{STUB}{{\n{lines}    }}\n"


def task(project: Project) -> Document:
    cases = "".join(
        f"assert solve({values}) == {{{', '.join(f'{verb!r}: {run((project.meaning[verb],), list(values))}' for verb in sorted(project.verbs))}}}, 'another meaning is wanted'\n"
        for values in SAMPLES
    )
    return {
        "id": f"{project.name}-verbs",
        "description": f"Project {project.name}: say what each verb makes of the list x.",
        "tests": f"# {project.name}\n{cases}",
        "entryPoint": "solve",
        "stub": f"{STUB}{{\n",
    }


def trajectory(project: Project, scope: Document, name: str, rng: random.Random) -> Document:
    """`trajectory` of crds/contracts/trajectory.ts."""
    records = [each for turn, source in enumerate(programs_of(project, rng)) for each in round_of(turn, source, passed=turn == 1)]
    records.append(record(2 * STEPS, "ended", outcome="Solved", message="solved in round 2"))
    return {
        "schema": "rune.dev/trajectory/v1",
        "session": {"namespace": NAMESPACE, "name": name, "uid": str(uuid.UUID(digest(name)[7:39]))},
        "task": task(project),
        "scope": scope,
        "outcome": "Solved",
        "records": records,
    }


def round_of(turn: int, source: str, passed: bool) -> list[Document]:
    """Records of one round: what was announced, written, executed and noted. A result has its announcement's number."""
    at = turn * STEPS
    execution = {
        "passed": passed,
        "outcome": "Passed" if passed else "Failed",
        "error": "" if passed else "AssertionError: another meaning is wanted",
        "durationSeconds": 0.05,
    }
    return [
        record(at, "intent", effect="generate", inputDigest=digest(f"{turn} {source}"), round=turn, input={}),
        record(at, "generated", programs=[source], promptTokens=1, completionTokens=1),
        record(at + 1, "intent", effect="execute", inputDigest=digest(source), round=turn, input={}),
        record(at + 1, "executed", program=source, execution=execution),
        record(at + 2, "reflected", round=turn, notes=[]),
    ]


def record(number: int, kind: str, **fields: object) -> Document:
    return {"type": kind, "n": number, "epoch": 1, "time": BEGAN, **fields}


def digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def line(document: Document) -> str:
    return json.dumps(document, separators=(",", ":"), sort_keys=True)

"""What a session leaves that worked out a project's verbs: a trajectory document as the agent seals it, effect by effect.

Its task asks for the meaning of each of the project's verbs. The first program says what every verb means by default; others follow
until one passes. Where a project overrides nothing, the first passes.
"""

import hashlib
import json
import random
import uuid
from dataclasses import dataclass

from language import DEFAULT, OPERATIONS, SAMPLES, STUB, Document, Project, run

NAMESPACE = "minilang"
BEGAN = "2026-01-01T00:00:00.000Z"
"""Trajectories are made, not lived: equal seeds must give equal bytes."""

STEPS = 3
"""Steps of a round: generate, execute, reflect."""


@dataclass(frozen=True)
class Attempt:
    """A program that was tried: what it takes each verb to mean, in the order of its lines, and which verbs its tests found wrong."""

    guess: dict[str, str]
    wrong: tuple[str, ...]


def attempts_of(project: Project, rng: random.Random) -> list[Attempt]:
    """From the defaults to the first program that passes, with at most one between them."""
    verbs = list(project.verbs)
    rng.shuffle(verbs)
    guess = {verb: DEFAULT[verb] for verb in verbs}
    attempts = []
    for _ in range(rng.choice((1, 1, 2))):
        wrong = tuple(verb for verb in verbs if guess[verb] != project.meaning[verb])
        attempts.append(Attempt(guess, wrong))
        if not wrong:
            return attempts
        others = {verb: project.meaning[verb] if rng.random() < 0.5 else rng.choice(OPERATIONS) for verb in wrong}
        guess = {**guess, **others}
    found = {verb: project.meaning[verb] for verb in verbs}
    return [*attempts, Attempt(found, ())] if guess != found else [*attempts, Attempt(guess, ())]


def program(attempt: Attempt) -> str:
    lines = "".join(f'        "{verb}": x |{verb} |{operation},\n' for verb, operation in attempt.guess.items())
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
    """`trajectory` of crds/src/artifact.ts."""
    asked = task(project)
    attempts = attempts_of(project, rng)
    records = [each for turn, attempt in enumerate(attempts) for each in round_of(turn, program(attempt), attempt)]
    records.append(record(len(attempts) * STEPS, "ended", outcome="Solved", message=f"solved in round {len(attempts)}"))
    return {
        "schema": "rune.dev/trajectory/v1",
        "session": {"namespace": NAMESPACE, "name": name, "uid": str(uuid.UUID(digest(name)[7:39]))},
        "task": asked,
        "scope": scope,
        "outcome": "Solved",
        "records": records,
    }


def round_of(turn: int, source: str, attempt: Attempt) -> list[Document]:
    """Records of one round: what was announced, written, executed and noted. A result has its announcement's number."""
    at, passed = turn * STEPS, not attempt.wrong
    execution = {
        "passed": passed,
        "outcome": "Passed" if passed else "Failed",
        "error": "" if passed else "AssertionError: another meaning is wanted",
        "durationSeconds": 0.05,
    }
    return [
        record(at, "intent", effect="generate", inputDigest=digest(f"{turn} {source}"), round=turn, input={}),
        record(at, "generated", programs=[source], promptTokens=1, completionTokens=len(attempt.guess) * 2),
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

"""The record of a session that worked out a library's names: a trajectory document as the agent seals it, effect by
effect.

Its task needs every function of the library. The first program uses the names that a user without knowledge would; each
error of the library contains one right name, until a program passes. Programs are run here, in plain Python: this code
wrote them.
"""

import hashlib
import random
import traceback
import uuid

from library import House, Library
from questions import Asker, Document, Question

NAMESPACE = "libraries"
BEGAN = "2026-01-01T00:00:00.000Z"
"""Trajectories are synthetic: equal seeds must give equal bytes."""
STEPS = 3
"""Steps of a round: generate, execute, reflect."""
GUESSES = (
    "{form}_{subject}",
    "get_{form}",
    "{subject}_{form}",
    "{form}",
    "make_{form}",
    "to_{form}",
    "{subject}_to_{form}",
    "compute_{form}",
)


def guess_of(house: House, r: random.Random) -> str:
    """A plausible name."""
    return r.choice(GUESSES).format(form=house.form, subject=house.subject).replace(" ", "_")


def survey(asker: Asker) -> Question:
    """The session's task."""
    return asker.several("survey", asker.library.houses)


def programs_of(library: Library, question: Question, r: random.Random) -> list[str]:
    """From plausible names for all functions to the right ones, one more right in each."""
    guesses = [(f"{library.name}.{house.name}(", f"{library.name}.{guess_of(house, r)}(") for house in library.houses]
    programs = []
    for known in range(len(guesses) + 1):
        program = question.program
        for right, guess in guesses[known:]:
            program = program.replace(right, guess)
        programs.append(program)
    return programs


def error_of(library: Library, program: str, tests: str) -> str:
    """The last line of the error, as the sandbox reports it; empty if the program passes."""
    try:
        exec(tests, library.run(program))
    except Exception as error:
        return traceback.format_exception_only(error)[-1].strip()
    return ""


def trajectory(asker: Asker, scope: Document, name: str) -> Document:
    """`trajectory` of crds/contracts/trajectory.ts."""
    library, question = asker.library, survey(asker)
    programs = programs_of(library, question, asker.random("session"))
    records = [
        each
        for turn, program in enumerate(programs)
        for each in round_of(turn, program, error_of(library, program, question.task["tests"]))
    ]
    records.append(record(len(programs) * STEPS, "ended", outcome="Solved", message=f"solved in round {len(programs)}"))
    return {
        "schema": "rune.dev/trajectory/v1",
        "session": {"namespace": NAMESPACE, "name": name, "uid": str(uuid.UUID(digest(name)[7:39]))},
        "task": question.task,
        "scope": scope,
        "outcome": "Solved",
        "records": records,
    }


def round_of(turn: int, program: str, error: str) -> list[Document]:
    """Records of one round: what was announced, written, executed and noted. A result has its announcement's number."""
    at = turn * STEPS
    execution = {
        "passed": not error,
        "outcome": "Error" if error else "Passed",
        "error": error,
        "durationSeconds": 0.05,
    }
    return [
        record(at, "intent", effect="generate", inputDigest=digest(f"{turn} {program}"), round=turn, input={}),
        record(at, "generated", programs=[program], promptTokens=1, completionTokens=1),
        record(at + 1, "intent", effect="execute", inputDigest=digest(program), round=turn, input={}),
        record(at + 1, "executed", program=program, execution=execution),
        record(at + 2, "reflected", round=turn, notes=[error] if error else []),
    ]


def record(number: int, kind: str, **fields: object) -> Document:
    return {"type": kind, "n": number, "epoch": 1, "time": BEGAN, **fields}


def digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

"""One program against one pod: run it, watch, and report the result."""

import os
import re
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from adversary import checks, control, snapshot
from adversary.bystanders import beside
from adversary.canaries import Canaries
from adversary.catalogue import Program
from adversary.pod import Pod
from adversary.watch import Watch

_CALLER_SECONDS = 60


@dataclass(frozen=True)
class Result:
    """The result of a program. `word` is one of held, succeeded, fair, unfair, broken."""

    program: str
    variant: str
    word: str
    evidence: str
    seconds: float
    answers: list[dict[str, Any]]
    hurt: bool  # the pod can't be used for another program


def trial(program: Program, pod: Pod, canaries: Canaries, controlled: bool) -> Result:
    """Raises nothing that a program can cause.
    With `controlled`, an honest one is also run in plain Python, whatever its verdict.
    """
    started = time.monotonic()
    known = _secrets(pod)
    filled = _filled(program, pod, canaries, known)
    judge = _honest if program.kind == "honest" else _attack
    word, evidence, answers, hurt = judge(program, filled, pod, canaries, known, controlled)
    return Result(program.name, pod.variant.name, word, evidence, time.monotonic() - started, answers, hurt)


@dataclass(frozen=True)
class _Filled:
    """A program whose placeholders are filled in."""

    executions: list[str]
    tests: str
    beside: dict[str, str]


def _secrets(pod: Pod) -> dict[str, str]:
    """Secrets of the observer, by the names that checks and programs use."""
    return {
        "first": secrets.token_hex(12),
        "needle": "needle" + secrets.token_hex(8),
        "touched": "touched" + secrets.token_hex(8),
        "bait": pod.bait.secret,
        "victim": pod.victim.secret,
        "runner": pod.runner_secret,
        "token": pod.token,
    }


def _filled(program: Program, pod: Pod, canaries: Canaries, known: dict[str, str]) -> _Filled:
    """`__NAME__` stands for the address, path, process or secret of that name."""
    table = {
        **canaries.places,
        "OUT": pod.out, "LIB": pod.library, "TOKENFILE": pod.token_file, "HOME": pod.home, "PORT": pod.port,
        "BAIT": pod.bait.file, "BAITDIR": pod.bait.directory, "OPENDIR": pod.bait.open_directory,
        "RUNNER": pod.runner_inside, "VICTIM": pod.victim.number_inside, "SECRET": known["first"], "NEEDLE": known["needle"],
        "ROUND": "__ROUND__",
    }  # fmt: skip

    def fill(text: str) -> str:
        return re.sub(r"__([A-Z]+)__", lambda found: str(table[found.group(1)]), text)

    return _Filled(
        [fill(each) for each in program.executions],
        fill(program.tests),
        {key: fill(v) for key, v in program.beside.items()},
    )


def _limits(program: Program) -> dict[str, Any]:
    return {"timeout": program.timeout, "memory": program.memory, "output": program.output, "entry": program.entry}


def _executed(program: Program, filled: _Filled, pod: Pod) -> list[dict[str, Any]]:
    """Round by round; `__ROUND__` in the text is the round's number, from 1."""
    return [
        pod.execute(text.replace("__ROUND__", str(number)), filled.tests, **_limits(program))
        for number in range(1, program.repeat + 1)
        for text in filled.executions
    ]


def _honest(
    program: Any, filled: Any, pod: Any, _canaries, _known, controlled: Any
) -> tuple[str, str, list[dict[str, Any]], bool]:
    answers = _executed(program, filled, pod)
    outcome, words = program.expect
    last = answers[-1]
    said = f"{last.get('outcome')}: {last.get('error', last.get('message'))}"
    fair = last.get("outcome") == outcome and words in said
    left = pod.leftovers()
    if controlled or not fair:
        wrong = control.failure(pod, filled.executions[-1], filled.tests, program.entry)
        if wrong is not None:
            return "broken", f"it isn't right in plain Python either: {wrong}", answers, bool(left)
    if left:
        return "unfair", "; ".join(left), answers, True
    wanted = f"{outcome} ({words})" if words else outcome
    return (
        ("fair", "", answers, False)
        if fair
        else ("unfair", f"judged {said}, not {wanted}", answers, last["_status"] != 200)
    )


def _attack(
    program: Any, filled: Any, pod: Any, canaries: Any, known: Any, _controlled
) -> tuple[str, str, list[dict[str, Any]], bool]:
    pod.remember()
    before, heard = snapshot.taken(pod, canaries), len(canaries.events)
    watch = Watch(pod)
    watch.start()
    outside = None
    try:
        bystanders = beside(filled.beside, pod, known, program.timeout)
        if program.kind == "http":
            answers, outside = _called(program, filled, pod)
        else:
            answers = _executed(program, filled, pod)
        for bystander in bystanders:
            bystander.join()
            outside = outside or bystander.found
        time.sleep(program.after)
    finally:
        watch.end()
    seen = checks.Seen(
        program=program,
        pod=pod,
        answers=answers,
        watch=watch,
        differences=snapshot.differences(before, snapshot.taken(pod, canaries)),
        reached=canaries.events[heard:],
        secrets=known,
        outside=outside,
        runner=pod.runner_changes(),
        ended=pod.ended(),
        victim=pod.victim.changes(),
        problems=pod.problems(),
    )
    found = checks.successes(seen)
    return "succeeded" if found else "held", "; ".join(found), answers, bool(seen.problems)


def _called(program: Program, filled: _Filled, pod: Pod) -> tuple[list[dict[str, Any]], str | None]:
    """The attacker is a caller: the file runs outside and reports what it achieved in a line that begins with
    OUTSIDE.
    """
    environment = {**os.environ, "ADV_PORT": str(pod.port), "ADV_TOKEN": pod.token}
    done = subprocess.run(
        [sys.executable, "-c", filled.executions[0]],
        env=environment, capture_output=True, text=True, timeout=program.timeout + _CALLER_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the attacking caller failed: {done.stderr[-500:]}")
    outside = next(
        (line.removeprefix("OUTSIDE ") for line in done.stdout.splitlines() if line.startswith("OUTSIDE ")), None
    )
    return [{"stdout": done.stdout[-3000:], "stderr": done.stderr[-2000:], "_status": 200, "_seconds": 0}], outside

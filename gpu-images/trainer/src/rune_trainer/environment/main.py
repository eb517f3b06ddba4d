"""The Job of one node: makes the checks in a separate process and reports the results.

A wrong driver can crash a process with a segmentation fault in the middle of a backward pass: that is a result,
reported by the parent process. The remaining checks are then made in another process.
"""

import importlib.metadata
import json
import pathlib
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rune_trainer.contract import EnvironmentJob
from rune_trainer.environment.job import Found, failed, parse_job, read_document, run
from rune_trainer.errors import Ending, terminated

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "vllm")
SIGNALS = {
    signal.SIGSEGV: "a segmentation fault, as a driver and a torch that don't fit each other cause it",
    signal.SIGKILL: "SIGKILL, most likely because it needed more memory than it may have; raise spec.resources.memory in a new check",
}


@dataclass(frozen=True)
class Attempt:
    """Output of one process of checks."""

    found: list[Found]
    ending: Ending | None
    """Why it gave up, if that is no result of a check."""
    code: int
    """Its exit code; negative for a signal."""


def versions() -> dict[str, str]:
    """Versions of the installed packages."""
    known = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return known


def spawned(names: list[str]) -> Attempt:
    """Makes these checks in a new process, which writes a line for each as soon as it is done."""
    with tempfile.TemporaryDirectory(prefix="checks.") as scratch:
        lines = pathlib.Path(scratch, "found")
        child = subprocess.Popen([sys.executable, "-m", "rune_trainer.environment.worker", str(lines), *names])
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        code = child.wait()
        return attempt_of(lines.read_text().splitlines() if lines.exists() else [], code)


def attempt_of(lines: list[str], code: int) -> Attempt:
    documents = [json.loads(line) for line in lines]
    endings = [Ending(d["code"], d["reason"], d["message"]) for d in documents if "code" in d]
    return Attempt([Found(**d) for d in documents if "name" in d], endings[0] if endings else None, code)


def look(names: tuple[str, ...], start: Callable[[list[str]], Attempt] = spawned) -> list[Found]:
    """Every check with its result. Raises an `Ending` if the work was stopped, or something needed was unavailable."""
    found: list[Found] = []
    while left := [name for name in names if name not in {each.name for each in found}]:
        attempt = start(left)
        found += attempt.found
        if attempt.ending:
            raise attempt.ending
        if attempt.code == -signal.SIGTERM:
            raise terminated("asked to stop before every check was made")
        if len(attempt.found) < len(left):
            found.append(
                failed(
                    left[len(attempt.found)], f"the process that made this check ended with {words_of(attempt.code)}"
                )
            )
    return found


def words_of(code: int) -> str:
    if code >= 0:
        return f"exit code {code} without a word"
    return next((words for number, words in SIGNALS.items() if number == -code), signal.Signals(-code).name)


def result_of(job: EnvironmentJob, found: list[Found]) -> dict[str, Any]:
    """`environmentResult` in crds/contracts/environment.ts."""
    seen = {name: version for each in found for name, version in each.versions.items()}
    adapter = next((each.adapter for each in found if each.adapter), None)
    ordered = [each.check() for name in job.checks for each in found if each.name == name]
    return {"checks": ordered, "versions": {**versions(), **seen}, **({"adapter": adapter} if adapter else {})}


def main() -> int:
    def work() -> dict[str, Any]:
        job = read_document(parse_job)
        return result_of(job, look(job.checks))

    return run(work)

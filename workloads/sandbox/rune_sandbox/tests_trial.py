"""Tries tests without a program, in a locked process: for callers that check them before the first one is written."""

import json
import secrets
from contextlib import ExitStack
from typing import Any

from rune_sandbox.execution import Unavailable, judge_bytes, printable
from rune_sandbox.pipe import Pipe
from rune_sandbox.reporter import Reporter
from rune_sandbox.requests import Trial
from rune_sandbox.workspace import Workspace

_SECONDS = 20
_MEMORY_BYTES = 512 << 20


def try_tests(asked: Trial, workspace: Workspace) -> dict[str, Any]:
    """`{"usable": true, "error": ""}`, or the reason. Raises Unavailable when the sandbox is at fault."""
    with ExitStack() as stack:
        try:
            error = _why_not(asked, workspace, stack)
        except OSError as failure:
            raise Unavailable(f"the tests could not be tried: {failure}") from failure
    return {"usable": not error, "error": error}


def _why_not(asked: Trial, workspace: Workspace, stack: ExitStack) -> str:
    directory = stack.enter_context(workspace.volume.fresh("tests-"))
    stack.enter_context(workspace.alone())
    nonce = secrets.token_hex(32)
    document = {"nonce": nonce, "tests": asked.tests, "entryPoint": asked.entry_point}
    lock = workspace.lock_for(directory.path, judge_bytes(_MEMORY_BYTES), _SECONDS)
    trying = Reporter(stack, workspace, "tests", lock, document, Pipe(stack, 64 * 1024), Pipe(stack, 4096))
    in_time = trying.read_until(lambda: trying.report.ended, _SECONDS)
    trying.group.kill()
    trying.report.drain()
    if not in_time:
        return f"the tests' imports took more than {_SECONDS} seconds"
    try:
        said = json.loads(trying.report.content)
        return printable(said["error"]) if said["nonce"] == nonce else "the tests' imports spoke for the runner"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the tests' imports ended the process that tried them: {trying.noise.text(200)}".strip()

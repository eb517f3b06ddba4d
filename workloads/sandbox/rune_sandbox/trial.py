"""Tries tests without a program, in a locked process: for callers who want to know before the first one is written."""

import json
import os
import secrets
import selectors
import time
from contextlib import ExitStack

from rune_sandbox.contract import Trial
from rune_sandbox.execution import Unavailable, judge_bytes, printable
from rune_sandbox.pipe import Pipe
from rune_sandbox.place import Place
from rune_sandbox.processes import REPORT_FD

_SECONDS = 20
_MEMORY_BYTES = 512 << 20


def try_tests(asked: Trial, place: Place) -> dict:
    """`{"usable": true, "error": ""}`, or why not. Raises Unavailable when the sandbox is at fault."""
    with ExitStack() as stack:
        try:
            error = _why_not(asked, place, stack)
        except OSError as failure:
            raise Unavailable(f"the tests could not be tried: {failure}") from failure
    return {"usable": not error, "error": error}


def _why_not(asked: Trial, place: Place, stack: ExitStack) -> str:
    directory = stack.enter_context(place.volume.fresh("tests-"))
    stack.enter_context(place.alone())
    nonce = secrets.token_hex(32)
    report, noise = Pipe(stack, 64 * 1024), Pipe(stack, 4096)
    try:
        newborn = place.nursery.born("tests", {1: noise.writing, 2: noise.writing, REPORT_FD: report.writing})
    finally:
        os.close(report.writing)
        os.close(noise.writing)
    stack.callback(newborn.group.kill)
    stack.callback(newborn.close)
    newborn.lock(place.lock_for(directory.path, judge_bytes(_MEMORY_BYTES), _SECONDS))
    newborn.await_lock()
    newborn.begin({"nonce": nonce, "tests": asked.tests, "entryPoint": asked.entry_point})
    in_time = _await(report, noise)
    newborn.group.kill()
    report.drain()
    if not in_time:
        return f"the tests' imports took more than {_SECONDS} seconds"
    try:
        said = json.loads(report.content)
        return printable(said["error"]) if said["nonce"] == nonce else "the tests' imports spoke for the runner"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the tests' imports ended the process that tried them: {noise.text(200)}".strip()


def _await(report: Pipe, noise: Pipe) -> bool:
    """Until all is said; False if it takes too long."""
    end = time.monotonic() + _SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(report, selectors.EVENT_READ)
        selector.register(noise, selectors.EVENT_READ)
        while not report.ended:
            if time.monotonic() > end:
                return False
            for key, _ in selector.select(0.05):
                key.fileobj.read()
                if key.fileobj.ended:
                    selector.unregister(key.fileobj)
    return True

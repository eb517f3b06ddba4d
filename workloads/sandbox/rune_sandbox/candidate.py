"""The process the untrusted program lives in: loads it, then answers calls of its entry point. Nothing it says is believed but values."""

import builtins
import contextlib
import linecache
import os
import sys
import traceback
import types

from rune_sandbox import wire
from rune_sandbox.processes import CHANNEL_FD

PROGRAM_FILE = "<program>"
MAX_MESSAGE = 4000
MAX_TRACEBACK = 8000


def run(document: dict) -> None:
    sys.stdout.reconfigure(line_buffering=True, errors="replace")
    channel = wire.Channel(CHANNEL_FD)
    with contextlib.suppress(wire.Broken):  # the judge has seen enough
        _serve(channel, document["program"], document["entryPoint"])
    sys.stdout.flush()
    os._exit(0)


def _serve(channel: wire.Channel, program: str, entry_point: str) -> None:
    function, failure = _load(program, entry_point)
    channel.send({"raised": failure} if failure else {"ready": True})
    while not failure:
        call = channel.receive()
        channel.send(_answer(function, call))


def _load(program: str, entry_point: str):
    """(the entry point, None) or (None, why there is none)."""
    module = types.ModuleType("solution")
    module.__file__ = PROGRAM_FILE
    sys.modules[module.__name__] = module
    linecache.cache[PROGRAM_FILE] = (len(program), None, program.splitlines(keepends=True), PROGRAM_FILE)
    try:
        exec(compile(program, PROGRAM_FILE, "exec"), module.__dict__)
        function = module.__dict__.get(entry_point)
        if not callable(function):
            raise NameError(f"the program defines no function {entry_point!r}")
    except BaseException as error:
        return None, _describe(error)
    return function, None


def _answer(function, call: dict) -> dict:
    try:
        arguments = wire.decode(call["arguments"])
        named = wire.decode(call["named"])
        result = function(*arguments, **named)
    except BaseException as error:
        return {"raised": _describe(error)}
    try:
        return {"returned": wire.encode(result)}
    except (wire.Unsupported, RecursionError) as error:
        return {"unsupported": _text(error)}


def _describe(error: BaseException) -> dict:
    """Type, built-in ancestors, message and plain arguments: enough to raise it again on the other side."""
    tell(error, PROGRAM_FILE)
    kinds = [kind.__name__ for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind]
    description = {"type": type(error).__name__, "kinds": kinds, "message": _text(error)}
    with contextlib.suppress(wire.Unsupported, RecursionError):
        description["arguments"] = wire.encode(error.args)
    return description


def tell(error: BaseException, file: str) -> None:
    """Print its traceback from the first line of `file` on: the runner's own frames say nothing to the reader."""
    frame = error.__traceback__
    while frame and frame.tb_frame.f_code.co_filename != file:
        frame = frame.tb_next
    with contextlib.suppress(Exception):
        print("".join(traceback.format_exception(type(error), error, frame))[-MAX_TRACEBACK:], end="", file=sys.stderr, flush=True)


def _text(error: BaseException) -> str:
    try:
        return str(error)[:MAX_MESSAGE]
    except Exception:
        return "(its message can't be printed)"

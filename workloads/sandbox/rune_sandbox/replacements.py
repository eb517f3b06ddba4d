"""Replacements that the tests made in the process: streams, input and print, the state of the random module.
They apply to the program too.
"""

import builtins
import io
import sys
from typing import Any

_STREAMS = ("stdin", "stdout", "stderr")
_FUNCTIONS = ("input", "print")


class Replaced:
    """The judge's half: finds what is replaced before a question, and takes over the program's changes to it."""

    def __init__(self):
        self._streams = {name: getattr(sys, name) for name in _STREAMS}
        self._functions = {name: getattr(builtins, name) for name in _FUNCTIONS}
        self.seeds = False  # whether the tests seed the random module

    def given(self) -> dict[str, Any] | None:
        """What is sent with a question; None when nothing is replaced."""
        captured = [name for name in ("stdout", "stderr") if getattr(sys, name) is not self._streams[name]]
        functions = {
            name: getattr(builtins, name) for name in _FUNCTIONS if getattr(builtins, name) is not self._functions[name]
        }
        typed = sys.stdin if sys.stdin is not self._streams["stdin"] and isinstance(sys.stdin, io.StringIO) else None
        seeded = self.seeds and "random" in sys.modules
        if not captured and not functions and typed is None and not seeded:
            return None
        return {
            "captured": captured,
            "functions": functions,
            "stdin": typed.read() if typed else None,
            "random": sys.modules["random"].getstate() if seeded else None,
        }

    def take_back(self, given: dict[str, Any], changes: dict[str, Any]) -> None:
        """Raises ValueError, TypeError and the like where `changes` doesn't match what `Surroundings` sends."""
        for name, text in changes["written"].items():
            if name in given["captured"]:
                getattr(sys, name).write(text)
        if given["stdin"] is not None:
            sys.stdin.seek(max(0, sys.stdin.tell() - len(changes["left"])))
        if given["random"] is not None:
            sys.modules["random"].setstate(changes["random"])


class Surroundings:
    """The candidate's half: applies the same replacements while it answers."""

    def __init__(self, given: dict[str, Any] | None):
        self._given = given
        self.changes: dict[str, Any] = {}

    def __enter__(self):
        given = self._given
        if given:
            self._before = {name: getattr(sys, name) for name in _STREAMS}
            self._captured = {name: io.StringIO() for name in given["captured"]}
            vars(sys).update(self._captured)
            if given["stdin"] is not None:
                sys.stdin = io.StringIO(given["stdin"])
            self._functions = {name: getattr(builtins, name) for name in given["functions"]}
            vars(builtins).update(given["functions"])
            if given["random"] is not None:
                _random().setstate(given["random"])
        return self

    def __exit__(self, *_):
        given = self._given
        if not given:
            return
        vars(builtins).update(self._functions)
        self.changes["written"] = {name: stream.getvalue() for name, stream in self._captured.items()}
        if given["stdin"] is not None:
            self.changes["left"] = sys.stdin.read() if isinstance(sys.stdin, io.StringIO) else ""
        vars(sys).update(self._before)
        if given["random"] is not None:
            self.changes["random"] = _random().getstate()


def _random():
    import random

    return random

"""Tests tried before there is a program: do they parse, are their modules available, do they check the entry point, can
they run here?
"""

import importlib.util
import json
import os
import sys
import types
from typing import Any

from rune_sandbox import errors
from rune_sandbox.instrument import Prepared, Tally, prepare
from rune_sandbox.processes import REPORT_FD
from rune_sandbox.stops import MAX_ERROR, Unusable

TESTS_FILE = "<tests>"


def run(document: dict[str, Any]) -> None:
    """Report that the tests can be used, or why not, and exit."""
    report = {"nonce": document["nonce"], "error": why_not(document["tests"], document["entryPoint"])[:MAX_ERROR]}
    with open(REPORT_FD, "w", encoding="utf-8") as file:
        json.dump(report, file)
    os._exit(0)


def why_not(tests: str, entry_point: str) -> str:
    """One sentence, empty if they are usable."""
    try:
        found = prepared(tests, entry_point, Tally())
    except Unusable as error:
        return str(error)
    if not found.uses_entry_point:
        return f"the tests never use {entry_point}"
    if found.checks == 0:
        return f"the tests use {entry_point} but check nothing"
    forgotten = sorted(
        name for name, looked_into in found.names.items() if looked_into and name in sys.stdlib_module_names
    )
    return f"the tests use {forgotten[0]} and never import it" if forgotten else ""


def prepared(tests: str, entry_point: str, tally: Tally) -> Prepared:
    """Raises Unusable if the tests can't run: they don't parse, or need a module that isn't available."""
    try:
        found = prepare(tests, TESTS_FILE, entry_point, tally)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, SyntaxError) and error.lineno:
            raise Unusable(f"line {error.lineno}: {type(error).__name__}: {error.msg}") from None
        raise Unusable(errors.line(error)) from None
    for line, module, name in found.modules:
        _imported(line, module, name)
    if found.unsupported:
        raise Unusable("line {}: {}".format(*found.unsupported))
    return found


def _imported(line: int, module: str, name: str | None) -> None:
    if module == "solution" or module == "__future__":
        return
    try:
        loaded = importlib.import_module(module)
        if name not in (None, "*") and not hasattr(loaded, name) and not _is_submodule(loaded, name):
            raise ImportError(f"cannot import name {name!r} from {module!r}")
    except ImportError as error:
        hint = "" if module.partition(".")[0] in sys.stdlib_module_names else "; the program is the module 'solution'"
        raise Unusable(f"line {line}: {errors.line(error)}{hint}") from None
    except Exception as error:
        raise Unusable(f"line {line}: importing {module} fails: {errors.line(error)}") from None


def _is_submodule(package: types.ModuleType, name: str) -> bool:
    return hasattr(package, "__path__") and importlib.util.find_spec(f"{package.__name__}.{name}") is not None

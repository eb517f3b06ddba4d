"""Tests tried before there is a program: do they parse, are their modules there, do they check the entry point, can it be done here?"""

import json
import os
import sys

from rune_sandbox.instrument import Tally
from rune_sandbox.judge import MAX_ERROR, Unusable, prepared
from rune_sandbox.processes import REPORT_FD


def run(document: dict) -> None:
    """Report why the tests can't be used, or that they can, and end."""
    report = {"nonce": document["nonce"], "error": why_not(document["tests"], document["entryPoint"])[:MAX_ERROR]}
    with open(REPORT_FD, "w", encoding="utf-8") as file:
        json.dump(report, file)
    os._exit(0)


def why_not(tests: str, entry_point: str) -> str:
    """One sentence, or none where nothing speaks against them."""
    try:
        found = prepared(tests, entry_point, Tally())
    except Unusable as error:
        return str(error)
    if not found.uses_entry_point:
        return f"the tests never use {entry_point}"
    if found.checks == 0:
        return f"the tests use {entry_point} but check nothing"
    forgotten = sorted(name for name, looked_into in found.names.items() if looked_into and name in sys.stdlib_module_names)
    return f"the tests use {forgotten[0]} and never import it" if forgotten else ""

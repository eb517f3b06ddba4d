"""Runs a program's tests as people run them: `plain_python.py <program> <tests> <entry point>`; the exit code is the verdict.

Program and tests share one process and one module namespace; functions test_*, classes Test* and unittest's cases are collected.
"""

import asyncio
import inspect
import linecache
import os
import sys
import types
import unittest
from typing import Any


def main(program_file: str, tests_file: str, entry: str) -> None:
    with open(program_file, encoding="utf-8") as file:
        program = file.read()
    with open(tests_file, encoding="utf-8") as file:
        tests = file.read()
    sys.argv[:] = ["tests"]
    solution = _loaded(program)
    sys.modules["__main__"] = space = types.ModuleType("__main__")
    names = space.__dict__
    names.update({name: value for name, value in solution.__dict__.items() if not name.startswith("__")})
    names["candidate"] = solution.__dict__[entry]
    try:
        exec(compile(tests, "<tests>", "exec"), names)
    except SystemExit as ended:
        if ended.code not in (None, 0, False):
            raise
    for name, value in list(names.items()):
        _run_collected(name, value)
    cases = any(isinstance(value, type) and issubclass(value, unittest.TestCase) for value in names.values())
    if cases and not unittest.main(module=space, exit=False, argv=["tests"]).result.wasSuccessful():
        sys.exit(1)
    if not sys.stdout.closed:
        sys.stdout.flush()
    os._exit(0)  # threads of the program may still run


def _loaded(program: str) -> types.ModuleType:
    solution = types.ModuleType("solution")
    solution.__file__ = "<program>"
    sys.modules["solution"] = solution
    linecache.cache["<program>"] = (len(program), None, program.splitlines(keepends=True), "<program>")
    exec(compile(program, "<program>", "exec"), solution.__dict__)
    return solution


def _run_collected(name: str, value: Any) -> None:
    if name.startswith("test") and callable(value):
        result = value()
        if inspect.iscoroutine(result):
            asyncio.run(result)
    if isinstance(value, type) and name.startswith("Test") and not issubclass(value, unittest.TestCase):
        for method in dir(value):
            if method.startswith("test"):
                getattr(value(), method)()


main(*sys.argv[1:])

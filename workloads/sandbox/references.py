"""Judges programs that are known to be right: `python3 -B references.py <cases.json>`, a list of {id, entryPoint, program, tests}.

Reports each case that the sandbox doesn't judge `Passed`, and last "N passed, N failed". For each case a program
without a result is judged too, and must not pass: tests that anything passes would prove nothing."""

import json
import sys
from typing import Any

from rune_sandbox.harness import LiveRunner


def mistakes(runner: LiveRunner, case: dict[str, Any]) -> list[str]:
    """What is wrong with the verdicts on one case; empty if all are correct."""
    entry_point, tests = case["entryPoint"], case["tests"]
    found = []
    status, answer = runner.post("/tests", {"entryPoint": entry_point, "tests": tests})
    if status != 200 or not answer["usable"]:
        found.append(f"its tests are refused: {status} {answer}")
    right = runner.execute(case["program"], tests, entryPoint=entry_point)
    if right["outcome"] != "Passed":
        found.append(f"the reference program is judged {right['outcome']}: {right['error']}")
    wrong = runner.execute(f"def {entry_point}(*_):\n    return None\n", tests, entryPoint=entry_point)
    if wrong["passed"] or wrong["outcome"] == "TestsUnusable":
        found.append(f"a program that answers nothing is judged {wrong['outcome']}: {wrong['error']}")
    return found


def main(path: str) -> int:
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)
    failed = 0
    with LiveRunner() as runner:
        for case in cases:
            found = mistakes(runner, case)
            failed += bool(found)
            for each in found:
                print(f"{case['id']}: {each}", flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

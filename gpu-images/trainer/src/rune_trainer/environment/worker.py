"""The process that makes checks: `python -m rune_trainer.environment.worker <file> <check>...`."""

import dataclasses
import json
import pathlib
import sys
import traceback
from collections.abc import Callable
from typing import Any

from rune_trainer.contract import EnvironmentJob, Exit
from rune_trainer.environment import gpu_check, qlora_check, torch_check
from rune_trainer.environment.job import Found, failed, parse_job, read_document
from rune_trainer.errors import Ending

LOOKS: dict[str, Callable[[EnvironmentJob], Found]] = {
    "GPU": gpu_check.look,
    "Torch": torch_check.look,
    "QLoRA": qlora_check.look,
}
NO_RESULT = (Exit.UNAVAILABLE, Exit.TERMINATED)
"""Endings that say nothing of the environment."""


def look(name: str, job: EnvironmentJob) -> Found:
    """Any failure in a check is its result."""
    print(f"makes the check {name}", flush=True)
    try:
        return LOOKS[name](job)
    except Ending as ending:
        if ending.code in NO_RESULT:
            raise
        return failed(name, f"{ending.reason}: {ending.message}")
    except Exception as error:
        traceback.print_exc()
        return failed(name, f"{type(error).__name__}: {error}")


def main(path: str, names: list[str]) -> int:
    job = read_document(parse_job)
    with pathlib.Path(path).open("a") as lines:

        def write(document: dict[str, Any]) -> None:
            lines.write(json.dumps(document) + "\n")
            lines.flush()

        try:
            for name in names:
                found = look(name, job)
                print(f"{name}: {found.result}: {found.message}", flush=True)
                write(dataclasses.asdict(found))
        except Ending as ending:
            write({"code": ending.code, "reason": ending.reason, "message": ending.message})
            return ending.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

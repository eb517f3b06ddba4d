"""An honest program in plain Python, without a sandbox: only if it passes there is another verdict unfair."""

import os
import subprocess
import sys
from pathlib import Path

from adversary.enclosure import as_user
from adversary.pod import Pod

_PLAIN = Path(__file__).parent / "plain_python.py"
_SECONDS = 60


def failure(pod: Pod, program: str, tests: str, entry: str) -> str | None:
    """None if the tests pass; otherwise the end of Python's output."""
    directory = pod.home / "control"
    directory.mkdir(exist_ok=True)
    os.chown(directory, pod.uid, pod.uid)
    for name, text in (("program.py", program), ("tests.py", tests), ("plain_python.py", _PLAIN.read_text())):
        (directory / name).write_text(text)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "LANG": "C.UTF-8",
        "USER": "adversary",
    }
    try:
        done = subprocess.run(
            [*as_user(pod.uid), pod.python, "plain_python.py", "program.py", "tests.py", entry],
            cwd=directory, capture_output=True, text=True, errors="replace", timeout=_SECONDS, stdin=subprocess.DEVNULL, env=environment, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"not done after {_SECONDS} seconds on {sys.platform}"
    return None if done.returncode == 0 else done.stderr[-300:] or f"it ended with {done.returncode}"

"""`python3 -m adversary.plain_server`, in the runner's place: the same requests, and no lock at all.

A program is run as people run one (`plain_python.py`), as a child of this process and with its user, in a directory that stays. What it
leaves behind is left: whatever stops an attack here is the container, or the network's policy.
"""

import json
import os
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_PLAIN = Path(__file__).parent / "plain_python.py"
_START_SECONDS = 10  # of the interpreter, which the runner doesn't count either
_KEPT = 1 << 20  # characters of each stream


def main() -> None:
    if os.getuid() == 0:
        sys.exit("this runs programs without any lock, so never as root: start it as a user that owns nothing")

    class Runner(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"status": "ok"})

        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(executed(document))

        def _answer(self, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads a line for each request."""

    ThreadingHTTPServer(("", int(os.environ["RUNE_RUNNER_PORT"])), Runner).serve_forever()


def executed(document: dict[str, Any]) -> dict[str, Any]:
    """As the runner would answer, as far as attacks are judged by it."""
    directory = Path(tempfile.mkdtemp(dir=os.environ["RUNE_SANDBOX_OUT"]))
    program, tests = directory / "program.py", directory / "tests.py"
    program.write_text(document["program"], encoding="utf-8")
    tests.write_text(document["tests"], encoding="utf-8")
    command = [sys.executable, "-B", str(_PLAIN), str(program), str(tests), document["entryPoint"]]
    with (directory / "stdout").open("wb") as out, (directory / "stderr").open("wb") as err:
        # Its streams are files, so that a child that stays keeps nobody waiting.
        child = subprocess.Popen(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=_environment(directory)
        )
        try:
            passed = child.wait(document["timeoutSeconds"] + _START_SECONDS) == 0
            outcome = "Passed" if passed else "Failed"
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            passed, outcome = False, "Timeout"
    streams = {name: (directory / name).read_text("utf-8", "replace")[-_KEPT:] for name in ("stdout", "stderr")}
    return {"passed": passed, "outcome": outcome, "error": streams["stderr"][-500:], **streams}


def _environment(directory: Path) -> dict[str, str]:
    """Nothing of this process's own: what a program knows of that it has found out by itself."""
    return {"PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"), "HOME": str(directory), "LANG": "C.UTF-8"}


if __name__ == "__main__":
    main()

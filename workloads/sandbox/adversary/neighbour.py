"""`python3 -m adversary.neighbour`, in a container beside the one under attack, or in a pod of its own: what no program may reach.

It listens (`canaries.py`) and has files (`bait.py`) of the user that it runs as. `GET /seen` says where, what came, and how the files are; for
the observer outside, who comes by port-forward.
"""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from adversary.attributes import below, of
from adversary.bait import Bait
from adversary.canaries import Canaries


def main() -> None:
    directory = Path(os.environ["ADVERSARY_DIRECTORY"])
    canaries = Canaries(directory / "canary", os.environ["ADVERSARY_HOST"])
    bait = Bait(directory / "bait", os.getuid())

    class Observer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = json.dumps(seen(canaries, bait)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads a line for each look."""

    ThreadingHTTPServer(("", int(os.environ["ADVERSARY_PORT"])), Observer).serve_forever()


def seen(canaries: Canaries, bait: Bait) -> dict[str, Any]:
    trees = (bait.directory, canaries.directory)
    return {
        "places": {
            **canaries.places,
            "BAIT": str(bait.file),
            "BAITDIR": str(bait.directory),
            "OPENDIR": str(bait.open_directory),
        },
        "secret": bait.secret,
        "events": [[name, said.hex()] for name, said in canaries.events],
        "state": {str(path): repr(of(str(path))) for tree in trees for path in below(tree)},
    }


if __name__ == "__main__":
    main()

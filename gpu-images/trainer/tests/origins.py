"""HTTP servers on loopback with scripted answers: two of them are two origins."""

import http.server
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Answer = tuple[int, dict[str, str], bytes] | None
"""Status, headers, body; None cuts the connection once the request is read."""


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    authorization: str | None
    body: bytes


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    return code, headers, body


class Origin:
    """Answers in turn, the last one repeatedly. `seen` has the requests."""

    def __init__(self, *answers: Answer | Callable[[Seen], Answer]):
        self.answers, self.seen = list(answers), list[Seen]()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None: ...

            def handle_request(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                seen = Seen(self.command, self.path, self.headers.get("Authorization"), body)
                outer.seen.append(seen)
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                answer = answer(seen) if callable(answer) else answer
                if answer is None:
                    self.connection.close()
                    return
                code, headers, content = answer
                self.send_response(code)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = handle_request

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def asked(self) -> list[str]:
        return [seen.method for seen in self.seen]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

"""How a runner is asked."""

import http.client
import json
import time
from typing import Any


class Caller:
    """Anyone who has the token of one runner."""

    def __init__(self, host: str, port: int, token: str):
        self.host, self.port, self.token = host, port, token
        self._serial = 0

    def request(
        self, method: str, path: str, document: dict[str, Any] | None, timeout: float = 60
    ) -> tuple[int, dict[str, Any]]:
        """(status, answer). Raises OSError, HTTPException or ValueError when there is none."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            body = None if document is None else json.dumps(document).encode()
            connection.request(method, path, body, {"Authorization": f"Bearer {self.token}"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def execute(self, program: str, tests: str, wait: float | None = None, **limits: Any) -> dict[str, Any]:
        """The runner's answer, with `_status` (0: none came) and `_seconds`. `limits` are timeout, memory, output and entry."""
        self._serial += 1
        timeout = limits.get("timeout", 3.0)
        document = {
            "id": f"adversary/{self._serial}",
            "epoch": 1,
            "entryPoint": limits.get("entry", "solve"),
            "program": program,
            "tests": tests,
            "timeoutSeconds": timeout,
            "memoryMiB": limits.get("memory", 256),
            "outputBytes": limits.get("output", 65536),
        }
        started = time.monotonic()
        try:
            status, answer = self.request("POST", "/execute", document, wait or timeout + 15)
        except (OSError, http.client.HTTPException, ValueError) as error:
            status, answer = 0, {"message": f"{type(error).__name__}: {error}"}
        return {**answer, "_status": status, "_seconds": round(time.monotonic() - started, 2)}

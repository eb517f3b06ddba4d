"""The HTTP interface: authentication and responses. Everything behind it is plain functions."""

import hmac
import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn

from rune_sandbox import requests
from rune_sandbox.config import Config
from rune_sandbox.contract import MOST_REQUEST_BYTES, STATUS, Path, Refusal
from rune_sandbox.execution import Unavailable, execute
from rune_sandbox.probe import prove
from rune_sandbox.results import Full, IdReused, Results, StaleEpoch
from rune_sandbox.tests_trial import try_tests
from rune_sandbox.workspace import Workspace

_SOCKET_SECONDS = 30
_RETRY_SECONDS = 1
_FAILED_EXIT_CODE = 70


class Busy(Exception):
    """An execution is running and the queue is full."""


class NotVerified(Exception):
    """No proof, no run."""


class Turns:
    """One execution at a time, a few more queued:
    two of one user could close each other's files and use up each other's processes.
    """

    def __init__(self, queue: int):
        self._running = threading.Lock()
        self._admitted = threading.BoundedSemaphore(1 + queue)

    @contextmanager
    def one(self):
        if not self._admitted.acquire(blocking=False):
            raise Busy("an execution runs, and the whole queue is taken")
        try:
            with self._running:
                yield
        finally:
            self._admitted.release()


class Runner:
    """The runner's operations, without HTTP."""

    def __init__(self, config: Config):
        self._workspace = Workspace(config)
        self._turns = Turns(config.queue)
        self._results = Results(config.stored_results, config.stored_bytes)
        self._verified = False

    def probe(self, body: bytes) -> dict[str, Any]:
        """The latest proof is the one that counts: a failed one takes an earlier one back."""
        targets = requests.targets(body)
        with self._turns.one():
            report = prove(targets, self._workspace)
            self._verified = report["verified"]
        return report

    def try_tests(self, body: bytes) -> dict[str, Any]:
        asked = requests.trial(body)
        self._require_proof()
        with self._turns.one():
            return try_tests(asked, self._workspace)

    def execute(self, body: bytes) -> dict[str, Any]:
        asked = requests.execution(body)
        self._require_proof()

        def run() -> dict[str, Any]:
            with self._turns.one():
                return execute(asked, self._workspace)

        return self._results.once(asked, run)

    def _require_proof(self) -> None:
        if not self._verified:
            raise NotVerified("this sandbox has not proven its isolation; POST /probe first")


_REFUSALS = {
    requests.BadRequest: Refusal.BAD_REQUEST,
    StaleEpoch: Refusal.STALE_EPOCH,
    IdReused: Refusal.ID_REUSED,
    NotVerified: Refusal.ISOLATION_NOT_VERIFIED,
    Busy: Refusal.BUSY,
    Unavailable: Refusal.SANDBOX_UNAVAILABLE,
    Full: Refusal.RESULTS_FULL,
}


class Connections:
    """At most `most` at once. When all are in use, the one that has waited longest without showing the token is
    closed.
    """

    def __init__(self, most: int):
        self._most = most
        self._lock = threading.Lock()
        self._idle: dict[socket.socket, None] = {}  # in the order in which they began to wait
        self._busy: set[socket.socket] = set()

    def admit(self, connection: socket.socket) -> bool:
        """False if all others are working."""
        with self._lock:
            if len(self._idle) + len(self._busy) >= self._most:
                if not self._idle:
                    return False
                oldest = next(iter(self._idle))
                del self._idle[oldest]
                _hang_up(oldest)
            self._idle[connection] = None
            return True

    def works(self, connection: socket.socket) -> None:
        """It has shown the token. Raises ConnectionAbortedError if it was closed to make room."""
        with self._lock:
            if connection not in self._idle:
                raise ConnectionAbortedError("it made room for another connection")
            del self._idle[connection]
            self._busy.add(connection)

    def waits(self, connection: socket.socket) -> None:
        with self._lock:
            self._busy.discard(connection)
            self._idle[connection] = None

    def ended(self, connection: socket.socket) -> None:
        with self._lock:
            self._busy.discard(connection)
            self._idle.pop(connection, None)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)  # its thread, which reads, sees the end and closes it
    except OSError:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, config: Config, runner: Runner):
        self.config, self.runner = config, runner
        self.connections = Connections(config.connections)
        self._dual_stack = not config.host and socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if self._dual_stack or ":" in config.host else socket.AF_INET
        super().__init__((config.host, config.port), Handler)

    def server_bind(self) -> None:
        if self._dual_stack:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any):
        if not self.connections.admit(request):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread could be started
            self.connections.ended(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.ended(request)

    def handle_error(self, request: Any, client_address: Any):
        print(f"connection dropped: {sys.exc_info()[1]}", file=sys.stderr, flush=True)


class Handler(BaseHTTPRequestHandler):
    # pyrefly: ignore [bad-override-mutable-attribute]  (no other server makes it)
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "rune-sandbox"
    sys_version = ""
    timeout = _SOCKET_SECONDS

    def do_GET(self) -> None:
        if self.path == Path.HEALTH:
            self._answer(200, {"status": "ok"})
        else:
            self._answer(
                STATUS[Refusal.NOT_FOUND], {"reason": Refusal.NOT_FOUND, "message": f"there is no {self.path}"}
            )

    def do_POST(self) -> None:
        actions: dict[str, Callable[[bytes], dict[str, Any]]] = {
            Path.EXECUTE: self.server.runner.execute,
            Path.TESTS: self.server.runner.try_tests,
            Path.PROBE: self.server.runner.probe,
        }
        if not self._authorized():
            self._refuse(Refusal.UNAUTHORIZED, "the bearer token is missing or not this sandbox's")
        elif self.path not in actions:
            self._refuse(Refusal.NOT_FOUND, f"there is no {self.path}")
        elif (length := self._length()) is None:
            self._refuse(Refusal.LENGTH_REQUIRED, "send Content-Length")
        elif length > MOST_REQUEST_BYTES:
            self._refuse(Refusal.TOO_LARGE, f"{length} bytes; at most {MOST_REQUEST_BYTES} are read")
        else:
            self.server.connections.works(self.connection)
            self._act(actions[self.path], self.rfile.read(length))
            self.server.connections.waits(self.connection)

    def _act(self, action: Callable[[bytes], dict[str, Any]], body: bytes) -> None:
        try:
            status, answer = 200, action(body)
        except tuple(_REFUSALS) as refusal:
            reason = _REFUSALS[type(refusal)]
            status, answer = STATUS[reason], {"reason": reason, "message": str(refusal)}
        except Exception as error:
            self._give_up(error)
        self._answer(status, answer)

    def _give_up(self, error: Exception) -> NoReturn:
        """An unforeseen error: the sandbox's state is no longer known, so nothing may be run in it again."""
        print(f"{self.path} failed, so the runner ends: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        try:
            self._answer(
                STATUS[Refusal.INTERNAL],
                {"reason": Refusal.INTERNAL, "message": "the runner failed and ends; see its log"},
            )
        finally:
            os._exit(_FAILED_EXIT_CODE)

    def _authorized(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), self.server.config.token.encode())

    def _length(self) -> int | None:
        length = self.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None

    def _refuse(self, reason: str, message: str) -> None:
        """Without reading the body; so the connection can't be used again."""
        self.close_connection = True
        self._answer(STATUS[reason], {"reason": reason, "message": message})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status in (429, 503):
            self.send_header("Retry-After", str(_RETRY_SECONDS))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing per request: output of programs and tests must not be logged."""

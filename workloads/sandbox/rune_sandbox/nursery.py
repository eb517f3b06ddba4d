"""The runner's side of the nursery (`fork_server.py`), which forks all locked processes."""

import json
import os
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from dataclasses import asdict
from typing import Any

from rune_sandbox.lock import Lock
from rune_sandbox.processes import CONTROL_FD, Group

ORDERS_FD = 3
MAX_ORDER = 4096
LOCKED = b"locked\n"
_ANSWER_SECONDS = 20
_FORK_SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fork_server.py")
# Nothing of the runner's own environment is passed. One arena for all threads but the first: each reserves 64 MiB of
# what a program may map.
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "USER": "sandbox",
    "LOGNAME": "sandbox",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class Nursery:
    """One request at a time: only the execution that runs uses it. It is restarted when it has died."""

    def __init__(self):
        self.pid: int | None = None
        self._orders: socket.socket  # as long as there is a process
        self._start()

    def born(self, part: str, descriptors: dict[int, int]) -> "Newborn":
        """A new process that waits for its lock. `descriptors` maps its descriptor numbers to ours, which the caller
        closes. Raises OSError.
        """
        try:
            return self._born(part, descriptors)
        except OSError:
            self._start()
            return self._born(part, descriptors)

    def _start(self) -> None:
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.settimeout(_ANSWER_SECONDS)
            self._orders = ours
            self.pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", "-B", _FORK_SERVER],
                _ENVIRONMENT,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), ORDERS_FD),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE],
            )

    def _born(self, part: str, descriptors: dict[int, int]) -> "Newborn":
        with ExitStack() as stack:
            control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            stack.enter_context(theirs)
            undo = stack.enter_context(ExitStack())
            undo.enter_context(control)
            nothing = os.open(os.devnull, os.O_RDONLY)
            stack.callback(os.close, nothing)
            placed = {0: nothing, CONTROL_FD: theirs.fileno(), **descriptors}
            order = json.dumps({"part": part, "places": list(placed)}).encode()
            socket.send_fds(self._orders, [order], list(placed.values()))
            answer = self._orders.recv(MAX_ORDER).decode()
            if not answer.isdigit():
                raise OSError(answer or "the nursery ended")
            undo.pop_all()
            return Newborn(Group(int(answer)), control)

    def close(self) -> None:
        if self.pid is None:
            return
        self._orders.close()
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.pid = None


class Newborn:
    """A process before it has begun: it is locked first, then it gets its document."""

    def __init__(self, group: Group, control: socket.socket):
        self.group = group
        self._control = control
        control.settimeout(_ANSWER_SECONDS)

    def lock(self, lock: Lock) -> None:
        self._control.sendall(json.dumps(asdict(lock)).encode() + b"\n")

    def await_lock(self) -> None:
        """Raises OSError with the process's message when it isn't locked: then it has exited, or will not begin."""
        said = self._control.recv(MAX_ORDER)
        if said != LOCKED:
            raise OSError(said.decode("utf-8", "replace").strip() or "a process ended before it was locked")

    def begin(self, document: dict[str, Any]) -> None:
        """Raises OSError where the process has died meanwhile."""
        with self._control:
            self._control.sendall(json.dumps(document).encode())

    def close(self) -> None:
        self._control.close()

"""What the observer does outside while a program runs.
Each takes the program's directive and returns what it found, or None.
"""

import fcntl
import http.client
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from adversary.pod import Pod

_WAIT_SECONDS = 3
_STEP_SECONDS = 0.02


class Bystander(threading.Thread):
    """A running one; `found` is set once it has ended."""

    def __init__(self, act: Callable[[], str | None]):
        super().__init__(daemon=True)
        self._act = act
        self.found: str | None = None
        self.start()

    def run(self) -> None:
        self.found = self._act()


def beside(directives: dict[str, str], pod: Pod, secrets: dict[str, str], seconds: float) -> list[Bystander]:
    """Those named by the program's directives; `directives` with their placeholders filled in."""
    acts = {
        "touch": lambda _: _touch(pod, secrets["touched"]),
        "poll": lambda _: _poll(pod, seconds),
        "outsideconnect": lambda name: _connect(name, secrets["first"]),
        "lockcheck": _lock,
    }
    return [Bystander(lambda act=acts[name], value=value: act(value)) for name, value in directives.items()]


def _touch(pod: Pod, name: str) -> None:
    """Make a file, whose name only the observer has, in a directory that the program may not read."""
    time.sleep(_WAIT_SECONDS / 2)
    path = pod.bait.directory / name
    path.touch()
    path.unlink()


def _poll(pod: Pod, seconds: float) -> None:
    """Request the runner's health repeatedly, as Kubernetes does once a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError, http.client.HTTPException, ValueError):
            pod.request("GET", "/healthz", None, 0.5)
        time.sleep(_STEP_SECONDS)


def _connect(name: str, secret: str) -> str | None:
    """Try to fetch the program's secret from one of its abstract sockets."""
    end = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < end:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(1)
            caller.connect("\0" + name)
            if secret.encode() in (said := caller.recv(100)):
                return f"a process outside connected to the program's abstract socket and got {said!r}"
        time.sleep(_STEP_SECONDS)
    return None


def _lock(path: str) -> str | None:
    """Try to lock a file of the system, as its package manager might."""
    end = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < end:
        with open(path, encoding="utf-8", errors="replace") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return f"{path} was locked by the program: another process couldn't lock it"
        time.sleep(_STEP_SECONDS)
    return None

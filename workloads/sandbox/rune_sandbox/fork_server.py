"""The nursery, a fork server: started once, by exec, without secrets; for each execution it forks children that lock themselves and
then do their part.

No other process can ever read a child, because the nursery isn't dumpable, and a child gets its document only when it
is locked. An intermediate fork that exits hands it over to the runner: so the runner, a subreaper, is the parent that
learns how it ends.
"""

import builtins
import fcntl
import gc
import json
import os
import socket
import sys
import threading
import traceback
from _sitebuiltins import Quitter
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from rune_sandbox import candidate, judge, probe_inside, validation
from rune_sandbox.lock import Lock, apply, hide
from rune_sandbox.nursery import LOCKED, MAX_ORDER, ORDERS_FD
from rune_sandbox.processes import CONTROL_FD, OUT_OF_MEMORY

PARTS = {"candidate": candidate.run, "judge": judge.run, "probe": probe_inside.run, "tests": validation.run}
_COMMON = "bisect collections contextlib copy dataclasses datetime functools heapq itertools math operator random re string time typing"
# Per thread: 8 MiB each, the system's default, would soon use up all the memory that a program may map.
_STACK_BYTES = 1 << 20


def main() -> None:
    hide()
    for name in _COMMON.split():
        __import__(name)
    builtins.exit, builtins.quit = Quitter("exit", "Ctrl-D (i.e. EOF)"), Quitter("quit", "Ctrl-D (i.e. EOF)")
    threading.stack_size(_STACK_BYTES)
    del sys.path[0]
    gc.collect()
    gc.freeze()
    orders = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=ORDERS_FD)
    while True:
        order, received, _, _ = socket.recv_fds(orders, MAX_ORDER, 8)
        if not order:
            return
        answer = _hatch(orders, json.loads(order), received)
        for descriptor in received:
            os.close(descriptor)
        orders.send(answer.encode())


def _hatch(orders: socket.socket, order: dict[str, Any], received: list[int]) -> str:
    """Start the child; returns its process ID, by then a child of the runner's, or why there is none."""
    reading, writing = os.pipe()
    try:
        between = os.fork()
        if between == 0:
            _between(writing, order, received)
        os.waitpid(between, 0)
        os.set_blocking(reading, False)
        return os.read(reading, 100).decode()
    except OSError as error:
        return f"the nursery can't fork: {error}"
    finally:
        os.close(reading)
        os.close(writing)


def _between(writing: int, order: dict[str, Any], received: list[int]) -> None:
    try:
        child = os.fork()
        if child == 0:
            _live(order["part"], dict(zip(order["places"], received, strict=True)))
        os.write(writing, str(child).encode())
    except OSError as error:
        os.write(writing, f"the nursery can't fork: {error}".encode()[:100])
    finally:
        os._exit(0)


def _live(part: str, descriptors: dict[int, int]) -> None:
    try:
        os.setsid()
        _place(descriptors)
        document = _locked(part)
        PARTS[part](document)
    except MemoryError:  # too little is left for a message
        os._exit(OUT_OF_MEMORY)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _place(descriptors: dict[int, int]) -> None:
    """Each at its number, from above all of them so that none overwrites another; nothing else stays open."""
    high = {place: fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 64) for place, each in descriptors.items()}
    for place, each in high.items():
        os.dup2(each, place)
    start = 0
    for place in [*sorted(high), os.sysconf("SC_OPEN_MAX")]:
        if start < place:  # an empty range would mean all
            os.closerange(start, place)
        start = place + 1
    # Open for as long as the process lives.
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115


def _locked(part: str) -> dict[str, Any]:
    """Lock this process as the runner orders, report it, and receive the document."""
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=CONTROL_FD) as control,
        control.makefile("r", encoding="utf-8", newline="\n") as incoming,
    ):
        lock = Lock(**json.loads(incoming.readline()))
        os.environ.update(HOME=lock.directory, TMPDIR=lock.directory)
        sys.argv = ["tests" if part == "judge" else "program"]
        try:
            apply(lock)
        except (OSError, ValueError) as error:
            control.sendall(f"the lock could not be applied, so nothing was run: {error}\n".encode())
            os._exit(1)
        sys.path.append(lock.library)
        control.sendall(LOCKED)
        return json.loads(incoming.read())


main()

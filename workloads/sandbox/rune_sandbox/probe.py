"""The isolation proof: layer 1 from the runner itself, outside the sandbox's filters;
layer 2 from inside a locked process.
"""

import errno
import hmac
import json
import os
import secrets
import selectors
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict
from typing import Any

from rune_sandbox.attempts import ANY, BLOCKED, ERROR, Attempt, attempt
from rune_sandbox.config import Config
from rune_sandbox.pipe import Pipe
from rune_sandbox.reporter import Reporter
from rune_sandbox.workspace import Workspace

# Silence takes all of it. What gets through answers within milliseconds, and no lost packet makes a refusal of it: each try sends again.
_TRIES, _TRY_SECONDS = 4, 0.25
_INSIDE_SECONDS = 30
_MEMORY_BYTES = 256 << 20
_POLICY_NEVER_BLOCKS = ("apiServer", "node")  # policies don't hold between a pod and its own node; layer 2 must
# Servers ask others about a name that isn't theirs, and may wait for them; a query that asks nothing they refuse at once. Any answer will do.
_DNS_QUERIES = (
    b"\x52\x75\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x0akubernetes\x07default\x00\x00\x01\x00\x01",
    b"\x52\x76\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00",
)
_SILENCE = f"{_TRIES} tries in {_TRIES * _TRY_SECONDS:g} seconds"
_UNREACHABLE = frozenset(
    {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EPERM, errno.EACCES}
)


def prove(targets: dict[str, tuple[str, int]], workspace: Workspace) -> dict[str, Any]:
    """Every probe with its result; verified only if all that must hold does. `informational` holds what may be either way."""
    # Everything is asked at once, while the locked process tries the rest: silence is how most policies refuse.
    with ThreadPoolExecutor(max(1, len(targets))) as asking:
        asked = [asking.submit(_over_the_network, name, address) for name, address in targets.items()]
        locked = _layer_two(targets, workspace)
        attempts = [*(each.result() for each in asked), *locked, _watched(workspace)]
    return {
        "verified": all(each.holds for each in attempts),
        "probes": [_told(each) for each in attempts if each.expected != ANY],
        "informational": [_told(each) for each in attempts if each.expected == ANY],
    }


def _told(each: Attempt) -> dict[str, Any]:
    return {
        "name": each.name,
        "layer": each.layer,
        "expected": each.expected,
        "observed": each.observed,
        "detail": each.detail[:500],
    }


def _over_the_network(name: str, address: tuple[str, int]) -> Attempt:
    expected = ANY if name in _POLICY_NEVER_BLOCKS else BLOCKED
    reach = _ask_dns if name == "dns" else _connect
    return attempt(f"{name} over the network", 1, lambda: reach(*address), expected, _UNREACHABLE)


def _connect(host: str, port: int) -> str:
    address = _resolved(host, port)
    with ExitStack() as stack:
        answers = stack.enter_context(selectors.DefaultSelector())
        for _ in range(_TRIES):
            connection = stack.enter_context(socket.socket(_family(host), socket.SOCK_STREAM))
            connection.setblocking(False)
            _check(connection.connect_ex(address), errno.EINPROGRESS)
            answers.register(connection, selectors.EVENT_WRITE, connection)
            for answer, _ in answers.select(_TRY_SECONDS):
                _check(answer.data.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                return f"connected to {host}:{port}"
    raise TimeoutError(_SILENCE)


def _ask_dns(host: str, port: int) -> str:
    address = _resolved(host, port)
    with socket.socket(_family(host), socket.SOCK_DGRAM) as query:
        query.settimeout(_TRY_SECONDS)
        query.connect(address)
        for _ in range(_TRIES):
            for question in _DNS_QUERIES:
                query.send(question)
            with suppress(TimeoutError):
                return f"answered with {len(query.recv(4096))} bytes"
    raise TimeoutError(_SILENCE)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _check(code: int, going_on: int = 0) -> None:
    if code not in (0, going_on):
        raise OSError(code, os.strerror(code))


def _resolved(host: str, port: int) -> tuple[str, int]:
    """Addresses only: a name that doesn't resolve in here doesn't show whether its address can be reached."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
            return host, port
        except OSError:
            continue
    raise ValueError(f"{host!r} is not an IP address; give the address, so that this probe doesn't depend on DNS")


def _layer_two(targets: dict[str, tuple[str, int]], workspace: Workspace) -> list[Attempt]:
    version = workspace.landlock
    known = Attempt("Landlock", 2, BLOCKED, BLOCKED, f"ABI {version}") if version else _no_landlock(workspace.config)
    if not known.holds:
        return [known]
    try:
        with ExitStack() as stack:
            return [known, *_inside(stack, targets, workspace)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [known, Attempt("inside a locked process", 2, BLOCKED, ERROR, f"the probe could not be run: {error}")]


def _watched(workspace: Workspace) -> Attempt:
    """Whether memory that the kernel itself holds for a program is counted too.
    If not, only the pod's own limit bounds it.
    """
    limit = workspace.charged.limit
    detail = (
        f"watched against {limit >> 20} MiB"
        if limit
        else "no limit of the sandbox's own cgroup can be read; processes are watched"
    )
    return Attempt("memory that the kernel holds for programs", 2, ANY, BLOCKED if limit else ERROR, detail)


def _no_landlock(config: Config) -> Attempt:
    detail = "this kernel has no Landlock"
    if config.without_landlock:
        return Attempt("Landlock", 2, ANY, ERROR, f"{detail}; the profile names the runtime class as its substitute")
    return Attempt(
        "Landlock",
        2,
        BLOCKED,
        ERROR,
        f"{detail}; name a runtime class in its place in the sandbox profile, or use nodes that have it",
    )


def _inside(stack: ExitStack, targets: dict[str, Any], workspace: Workspace) -> list[Attempt]:
    directory = stack.enter_context(workspace.volume.fresh("probe-"))
    others = stack.enter_context(workspace.volume.fresh("bait-"))
    stack.enter_context(workspace.alone())
    bait = _bait(stack, others.path, workspace.config)
    nonce = secrets.token_hex(32)
    lock = workspace.lock_for(directory.path, _MEMORY_BYTES, _INSIDE_SECONDS, is_candidate=True)
    document = {"nonce": nonce, "targets": targets, "bait": bait, "lock": asdict(lock)}
    trying = Reporter(stack, workspace, "probe", lock, document, Pipe(stack, 1 << 20), Pipe(stack, 65536))
    # Children of its fork bomb hold the pipes open, so their end isn't waited for.
    if not trying.read_until(trying.group.ending, _INSIDE_SECONDS):
        raise TimeoutError(f"it was not done after {_INSIDE_SECONDS} seconds")
    trying.report.drain()
    trying.group.kill()
    trying.noise.drain()
    return _reported(trying.report, nonce, trying.noise.text())


def _bait(stack: ExitStack, directory: str, config: Config) -> dict[str, Any]:
    """What must be unreachable: a file, a UNIX socket with a path and a process, all of this user, and the runner's
    token.
    """
    file, path = os.path.join(directory, "secret"), os.path.join(directory, "socket")
    with open(file, "w", encoding="ascii") as secret:
        secret.write("not for you")
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(path)
    listener.listen()
    process = stack.enter_context(_bait_process())
    return {"file": file, "socket": path, "pid": process.pid, "token": os.path.abspath(config.token_file)}


def _bait_process() -> subprocess.Popen[str]:
    """A process of this user with a secret in its environment, in a separate session;
    exits when its standard input closes.
    """
    wait = [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"]
    return subprocess.Popen(wait, stdin=subprocess.PIPE, env={"SECRET": "not for you"}, start_new_session=True)


def _reported(report: Pipe, nonce: str, noise: str) -> list[Attempt]:
    if not report.content:
        raise ValueError(noise.strip()[-400:] or "it ended without a word")
    document = json.loads(report.content)
    if not hmac.compare_digest(document["nonce"], nonce):
        raise ValueError("its report carries another nonce")
    return [Attempt(**each) for each in document["attempts"]]

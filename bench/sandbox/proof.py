"""What the proof of isolation costs: wall and CPU seconds of POST /probe, where a policy refuses connections and where it drops them.

python3 bench/sandbox/proof.py [runs] [directory that holds rune_sandbox]

As root the runner gets a user and a container of its own. CPU is that of the runner and everything it started; a sandbox whose quota is q
cores needs at least CPU / q seconds, so that figure is the one to compare on a machine that does other things too.
"""

import os
import socket
import statistics
import sys
import time
from contextlib import ExitStack

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "workloads", "sandbox"))
sys.path.insert(0, sys.argv[2] if len(sys.argv) > 2 else sys.path[0])

from rune_sandbox.harness import LiveRunner

TARGETS = ("canary", "dns", "modelServer", "apiServer", "node")
WARM_UP = 1


def main(runs: int) -> None:
    with ExitStack() as stack:
        runner = stack.enter_context(LiveRunner(verify=False, contained=os.getuid() == 0))
        for how, targets in {"refuses": _refusing(), "drops": _silent(stack)}.items():
            took = [_proof(runner, targets) for _ in range(WARM_UP + runs)][WARM_UP:]
            wall, cpu = (sorted(each) for each in zip(*took, strict=True))
            print(
                f"policy {how}: {runs} proofs, wall median {statistics.median(wall):.2f} s, most {wall[-1]:.2f} s; "
                f"CPU median {statistics.median(cpu):.2f} s"
            )


def _refusing() -> dict[str, str]:
    return dict.fromkeys(TARGETS, "127.0.0.1:1")


def _silent(stack: ExitStack) -> dict[str, str]:
    """Nobody answers: a full backlog, which drops what asks for a connection, and a socket that nobody reads."""
    full, deaf = stack.enter_context(socket.socket()), stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    for each in (full, deaf):
        each.bind(("127.0.0.1", 0))
    full.listen(0)
    for _ in range(3):
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
    time.sleep(0.1)
    address = f"127.0.0.1:{full.getsockname()[1]}"
    return {**dict.fromkeys(TARGETS, address), "dns": f"127.0.0.1:{deaf.getsockname()[1]}"}


def _proof(runner: LiveRunner, targets: dict[str, str]) -> tuple[float, float]:
    before, started = _cpu_seconds(runner.pid), time.perf_counter()
    status, report = runner.post("/probe", {"targets": targets})
    wall = time.perf_counter() - started
    if status != 200 or not report["verified"]:
        raise SystemExit(f"the proof failed: {status} {report}")
    return wall, _cpu_seconds(runner.pid) - before


def _cpu_seconds(pid: int) -> float:
    """Of a process, its living children and those that it has waited for (proc(5), utime to cstime)."""
    living = [pid, *(int(each) for each in _children(pid))]
    return sum(sum(map(int, _stat(each)[11:15])) for each in living) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[str]:
    return [each for each in os.listdir("/proc") if each.isdigit() and _stat(each)[1:2] == [str(pid)]]


def _stat(pid: int | str) -> list[str]:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)

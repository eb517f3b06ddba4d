"""The runner under attack in its enclosure, with the bait around it;
how to send it requests and check its condition.
"""

import http.client
import os
import secrets
import shutil
import signal
import stat
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TextIO

from adversary import enclosure, processes
from adversary.bait import Bait, Victim
from adversary.caller import Caller
from adversary.variants import Variant

SANDBOX = Path(__file__).parent.parent / "rune_sandbox"
RIGHT, WRONG = "def solve(x):\n    return x + 1\n", "def solve(x):\n    return x - 1\n"
TESTS = "assert solve(1) == 2\nassert solve(2) == 3"
_SETTLE_SECONDS = 3
_BENIGN_SECONDS = 12


class Pod(Caller):
    """One runner of one variant. `end` leaves no process, file or mount of it."""

    def __init__(self, variant: Variant, uid: int, directory: Path):
        self.variant, self.uid = variant, uid
        self.python = enclosure.interpreter(uid)
        self.home = directory / f"{variant.name}-{secrets.token_hex(3)}"
        self.out, self.library, self.token_file, self.app = (
            self.home / name for name in ("out", "lib", "token", "app")
        )
        self.runner_secret = secrets.token_hex(12)
        super().__init__("127.0.0.1", 0, secrets.token_hex(16) + "x" * secrets.randbelow(30))
        self.init = 0
        self._kills = 0
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, self.home, ignore_errors=True)
            self._begin(undo)
            self._undo = undo.pop_all()
        self.remember()

    def _begin(self, undo: ExitStack) -> None:
        self._lay_out()
        self.bait = Bait(self.home / "bait", self.uid)
        self.memory = enclosure.MemoryGroup.made(f"rune-adversary-{self.uid}-{secrets.token_hex(3)}")
        if self.memory:
            undo.callback(self.memory.remove)
        self._process = self._started(undo.enter_context((self.home / "log").open("w", encoding="utf-8")))
        undo.callback(self._kill)
        self.port, self.init, self.pid = self._listening()
        self.victim = Victim(self.init, self.uid, self.python)
        undo.callback(self.victim.end)
        self._verify()
        self._own = self._settled()
        self.own_sessions = {
            int(fields[processes.SESSION]) for pid in self._own if (fields := processes.stat_fields(pid))
        }
        self.runner_inside = processes.number_inside(self.pid)

    def _lay_out(self) -> None:
        """The directories and files of the pod, with the modes and owners that its volumes have."""
        self.home.mkdir()
        self.home.chmod(0o755)
        shutil.copytree(SANDBOX, self.app / "rune_sandbox", ignore=shutil.ignore_patterns("test_*", "__pycache__"))
        if self.variant.landlock_abi is not None:
            self._offer_less(self.variant.landlock_abi)
        self.library.mkdir()
        self.out.mkdir()
        if self.variant.own_volume:
            os.chown(self.out, self.uid, self.uid)
        self.token_file.write_text(self.token)
        os.chown(self.token_file, 0, self.uid)
        self.token_file.chmod(stat.S_IRUSR | stat.S_IRGRP)

    def _offer_less(self, most: int) -> None:
        package = self.app / "rune_sandbox"
        shutil.copy(Path(__file__).parent / "older_kernel.py", package / "older_kernel.py")
        with open(package / "__init__.py", "a", encoding="utf-8") as start:
            start.write(f"\nfrom rune_sandbox import older_kernel\n\nolder_kernel.offer(most={most})\n")

    def _started(self, log: TextIO) -> subprocess.Popen[str]:
        volume = None if self.variant.own_volume else self.out
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "RUNE_RUNNER_HOST": "127.0.0.1",
            "RUNE_RUNNER_PORT": "0",
            "RUNE_RUNNER_TOKEN_FILE": str(self.token_file),
            "RUNE_SANDBOX_OUT": str(self.out),
            "RUNE_SANDBOX_LIB": str(self.library),
            "RUNE_ADVERSARY_SECRET": self.runner_secret,
        }
        if self.variant.landlock_abi == 0:
            environment["RUNE_SANDBOX_WITHOUT_LANDLOCK"] = "substitute-runtime"
        return subprocess.Popen(
            [
                *enclosure.command(self.uid, volume, self.memory, self.variant.process_limit),
                self.python,
                "-B",
                "-m",
                "rune_sandbox",
            ],
            cwd=self.app,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def _listening(self) -> tuple[int, int, int]:
        """(port, process 1 of the namespace, the runner), the processes by their numbers outside."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"the runner of variant {self.variant.name} didn't start: {(self.home / 'log').read_text()}"
            )
        init = processes.children(self._process.pid)[0]
        return int(line.rpartition(":")[2]), init, processes.children(init)[0]

    def _verify(self) -> None:
        status, report = self.request("POST", "/probe", {})
        wrong = [each for each in report.get("probes", [report]) if each.get("expected") != each.get("observed")]
        if status != 200 or not report.get("verified"):
            raise RuntimeError(f"the sandbox of variant {self.variant.name} proves no isolation: HTTP {status} {wrong}")

    def _settled(self) -> dict[int, str]:
        """Its own processes, with their commands, when nothing runs:
        process 1, the runner, its helpers, and the victim.
        """
        deadline = time.monotonic() + _SETTLE_SECONDS
        before: dict[int, str] = {}
        while (now := processes.of_user(self.uid)) != before and time.monotonic() < deadline:
            before = now
            time.sleep(0.3)
        return now

    def remember(self) -> None:
        """Record the runner's state before a program."""
        self._runner_before = self._runner_state()
        self.victim.changes()

    def _runner_state(self) -> dict[str, str]:
        if processes.state(self.pid) == "gone":
            return {"state": "gone"}
        fields = processes.stat_fields(self.pid)
        assert fields, "the process has gone in between"
        return {
            "state": processes.state(self.pid),
            "nice": fields[processes.NICE],
            "limits": processes.text_of(f"/proc/{self.pid}/limits"),
            "affinity": str(sorted(os.sched_getaffinity(self.pid))),
        }

    def runner_changes(self) -> list[str]:
        now = self._runner_state()
        return [
            f"the runner's {key} became {now.get(key)}"
            for key, was in self._runner_before.items()
            if now.get(key) != was
        ]

    def ended(self) -> list[str]:
        """Commands of its own processes that have ended."""
        return [self._own[pid] for pid in self._own if processes.state(pid) == "gone"]

    def inside(self, path: Path | str) -> str:
        """The path on this machine of a path in the pod: its volumes are mounted in its own namespace only."""
        return f"/proc/{self.init}/root{path}"

    def strangers(self) -> dict[int, str]:
        """Processes of the user that belong to an execution.
        A process that the runner restarted in place of a dead one doesn't.
        """
        found = {pid: command for pid, command in processes.of_user(self.uid).items() if pid not in self._own}
        replaced = self.ended()
        for pid, command in list(found.items()):
            fields = processes.stat_fields(pid)
            if fields and command in replaced and int(fields[processes.PARENT]) == self.pid:
                replaced.remove(command)
                del found[pid]
        return found

    def problems(self) -> list[str]:
        """What has changed: [] when the runner still judges correctly and quickly, and nothing is left of what it
        ran.
        """
        found = self._left_processes() + self._killed_for_memory()
        if (state := processes.state(self.pid)) != "running":
            return [*found, f"RUNNER is {state}"]
        found += self._unhealthy()
        found += self._misjudged()
        found += self._left_files()
        if self.victim.state()["state"] != "running":
            found.append("VICTIM doesn't run any more")
        return found

    def _left_processes(self) -> list[str]:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while (left := self.strangers()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [f"SURVIVORS {len(left)}: {list(left.items())[:3]}"] if left else []

    def _left_files(self) -> list[str]:
        left = os.listdir(self.inside(self.out))
        return [f"LEFTOVER in the output volume: {left[:4]}"] if left else []

    def leftovers(self) -> list[str]:
        """Processes and files of the last execution that are still there."""
        return self._left_processes() + self._left_files()

    def _killed_for_memory(self) -> list[str]:
        """In a pod of cgroup version 2 the kernel then kills the whole container, including the runner."""
        before, self._kills = self._kills, self.memory.kills() if self.memory else 0
        return [f"MEMORY of the pod was used up {self._kills - before} times"] if self._kills > before else []

    def _unhealthy(self) -> list[str]:
        try:
            status, _ = self.request("GET", "/healthz", None, 5)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return [f"HEALTH check gets {type(error).__name__}: {error}"]
        return [] if status == 200 else [f"HEALTH check gets {status}"]

    def _misjudged(self) -> list[str]:
        for program, wanted in ((RIGHT, "Passed"), (WRONG, "Failed")):
            answer = self.execute(program, TESTS, timeout=10, wait=_BENIGN_SECONDS)
            if answer.get("outcome") != wanted:
                said = answer.get("error", answer.get("message"))
                return [
                    f"WRONG verdict on a benign program: {answer.get('outcome')}, not {wanted}: {said} (HTTP {answer['_status']})"
                ]
        return []

    def end(self) -> list[str]:
        """End it and remove its files; returns what could not be ended."""
        self._undo.close()
        left = processes.of_user(self.uid)
        return [f"processes are left: {left}"] if left else []

    def _kill(self) -> None:
        """When `unshare` ends, process 1 ends with it, and then the kernel ends the whole namespace."""
        with suppress(ProcessLookupError):
            if self.init:
                os.kill(self.init, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        deadline = time.monotonic() + 2 * _SETTLE_SECONDS
        while processes.of_user(self.uid) and time.monotonic() < deadline:
            time.sleep(0.05)

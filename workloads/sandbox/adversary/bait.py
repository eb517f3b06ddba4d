"""Bait outside: files and another process of the sandbox's own user, as a second program of the pod would have them."""

import ctypes
import os
import re
import secrets
import subprocess
from pathlib import Path

from adversary import processes
from adversary.enclosure import as_user

_IOPRIO_GET = {"x86_64": 251 + 1, "aarch64": 31}
_VICTIM = """
import os, time
kept = os.environ["VICTIM_SECRET"] * 4
open("/proc/self/comm", "w").write("victim")
print(os.getpid(), flush=True)
while True:
    time.sleep(0.2)
"""


class Bait:
    """Files that belong to the sandbox's user: a secret one that only it may read, and directories that anybody may change."""

    def __init__(self, directory: Path, uid: int):
        self.secret = secrets.token_hex(12)
        self.directory, self.file, self.open_directory = directory, directory / "secret", directory / "open"
        directory.mkdir()
        self.open_directory.mkdir(mode=0o777)
        self.open_directory.chmod(0o777)
        for name in ("one", "two"):
            (self.open_directory / name).mkdir()
            (self.open_directory / name / "keep").write_text("keep")
        self.file.write_text(self.secret)
        for parent, _, files in os.walk(directory):
            for each in [parent, *(os.path.join(parent, name) for name in files)]:
                os.chown(each, uid, uid)
        self.file.chmod(0o600)


class Victim:
    """A process of the same user in the same PID namespace. Its visible state must never change."""

    def __init__(self, init: int, uid: int, python: str):
        self.secret = secrets.token_hex(12)
        self._process = subprocess.Popen(
            ["nsenter", "-t", str(init), "-p", "-m", "--", *as_user(uid), python, "-I", "-S", "-c", _VICTIM],
            stdout=subprocess.PIPE,
            text=True,
            env={"VICTIM_SECRET": self.secret},
            start_new_session=True,
        )
        assert self._process.stdout
        self.number_inside = int(self._process.stdout.readline())
        self.pid = self._found(init, uid)
        self._before = self.state()

    def _found(self, init: int, uid: int) -> int:
        namespace = processes.link_of(f"/proc/{init}/ns/pid")
        for pid in processes.of_user(uid):
            inside = processes.link_of(f"/proc/{pid}/ns/pid") == namespace
            if inside and processes.number_inside(pid) == self.number_inside:
                return pid
        raise RuntimeError("the victim process can't be found")

    def state(self) -> dict[str, str]:
        if processes.state(self.pid) == "gone":
            return {"state": "gone"}
        ioprio = ctypes.CDLL(None).syscall(_IOPRIO_GET[os.uname().machine], 1, self.pid)
        fields = processes.stat_fields(self.pid)
        assert fields, "the process has gone in between"
        return {
            "state": processes.state(self.pid),
            "nice": fields[processes.NICE],
            "affinity": str(sorted(os.sched_getaffinity(self.pid))),
            "limits": processes.text_of(f"/proc/{self.pid}/limits"),
            "tracer": "".join(re.findall(r"TracerPid:\s+(\d+)", processes.text_of(f"/proc/{self.pid}/status"))),
            "policy": str(os.sched_getscheduler(self.pid)),
            "input/output priority": str(ioprio),
            "chosen when memory ends": processes.text_of(f"/proc/{self.pid}/oom_score_adj").strip(),
        }

    def changes(self) -> dict[str, tuple[str | None, str | None]]:
        """What is different since the last call."""
        before, self._before = self._before, self.state()
        return {
            key: (before.get(key), self._before.get(key)) for key in before if before.get(key) != self._before.get(key)
        }

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

"""For the tests: a real runner in a separate process, as a scratch user if the tests run as root."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import Any

from rune_sandbox.processes import stat_fields as _stat

PACKAGE = os.path.dirname(os.path.abspath(__file__))
TOKEN = "test-token"
_SCRATCH_UID = 64_100 + os.getpid() % 1000

# A kernel without Landlock: the runner is started under a filter without its system calls.
_WITHOUT_LANDLOCK = """
import runpy
from rune_sandbox import lock, seccomp
lock._prctl(38, 1)
seccomp.program = lambda version: [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x50026), (0x06, 0, 0, 0x7FFF0000)]
seccomp.install(0)
runpy.run_module("rune_sandbox", run_name="__main__")
"""


_CONTAINER = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]
_CONTAINER += [
    'mount -t tmpfs -o size=16m,mode=1777 shm /dev/shm; mount -t tmpfs -o size=40m,mode=1777 out "$RUNE_SANDBOX_OUT"; exec setpriv "$@"',
    "sh",
]


class LiveRunner:
    """Started by `with`; all its files are in one temporary directory."""

    def __init__(
        self, verify: bool = True, landlock: bool = True, start: str = "", contained: bool = False, **environment: str
    ):
        """`start` is the program that starts the runner, if not the runner itself. `contained` (root only) is as in a
        container: in separate PID and mount namespaces, with volumes in memory."""
        code = start or ("" if landlock else _WITHOUT_LANDLOCK)
        self._start = ["-c", code] if code else ["-m", "rune_sandbox"]
        self._verify = verify
        self._contained = contained
        self._environment = environment

    def __enter__(self) -> "LiveRunner":
        self._uid = _SCRATCH_UID if os.getuid() == 0 else os.getuid()
        self.home = tempfile.mkdtemp(prefix="rune-sandbox-test-")
        os.chmod(self.home, 0o755)
        shutil.copytree(
            PACKAGE,
            os.path.join(self.home, "app", "rune_sandbox"),
            ignore=shutil.ignore_patterns("test_*", "__pycache__"),
        )
        self.out = self._directory("out")
        self.library = self._directory("lib")
        self._file("token", TOKEN)
        self._file(
            "lib/tessera.py",
            "def pare(x):\n    return x[1:-1]\n\n\ndef __getattr__(name):\n    raise AttributeError(f\"tessera has no '{name}'; use pare\")\n",
        )
        os.chmod(self.library, 0o555)
        command = [_python(), "-u", *self._start]
        identity: dict[str, Any] = {}
        if self._contained:
            command = [
                *_CONTAINER,
                f"--reuid={self._uid}",
                f"--regid={self._uid}",
                "--clear-groups",
                "--no-new-privs",
                *command,
            ]
        elif os.getuid() == 0:
            identity = {"user": self._uid, "group": self._uid, "extra_groups": []}
        self._process = subprocess.Popen(
            command,
            cwd=os.path.join(self.home, "app"),
            env={**self._settings(), **self._environment},
            stdout=subprocess.PIPE,
            text=True,
            **identity,
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline().rpartition(":")[2])
        self.pid = self._process.pid
        if self._contained:  # below unshare and process 1
            self.pid = _only_child(_only_child(self.pid))
        if self._verify:
            status, report = self.post("/probe", {})
            if status != 200 or not report["verified"]:
                raise AssertionError(
                    [each for each in report.get("probes", [report]) if each.get("expected") != each.get("observed")]
                )
        return self

    @staticmethod
    def refused_start(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """A start that must fail: its output."""
        with LiveRunner(verify=False) as other:
            command = [_python(), "-m", "rune_sandbox"]
            identity: dict[str, Any] = (
                {"user": other._uid, "group": other._uid, "extra_groups": []} if os.getuid() == 0 else {}
            )
            return subprocess.run(
                command,
                cwd=os.path.join(other.home, "app"),
                env={**other._settings(), **environment},
                check=False,
                capture_output=True,
                text=True,
                timeout=10,
                **identity,
            )

    def __exit__(self, *_) -> None:
        if self._contained and self._process.poll() is None:
            # Process 1, and all with it; unshare ignores other signals.
            os.kill(_only_child(self._process.pid), signal.SIGKILL)
        self._process.terminate()
        self._process.wait(10)
        if self._process.stdout:
            self._process.stdout.close()
        os.chmod(self.library, 0o755)
        shutil.rmtree(self.home)

    def _settings(self) -> dict[str, str]:
        return {
            "RUNE_RUNNER_HOST": "127.0.0.1",
            "RUNE_RUNNER_PORT": "0",
            "RUNE_RUNNER_TOKEN_FILE": os.path.join(self.home, "token"),
            "RUNE_SANDBOX_OUT": self.out,
            "RUNE_SANDBOX_LIB": self.library,
        }

    def _directory(self, name: str) -> str:
        path = os.path.join(self.home, name)
        os.mkdir(path)
        os.chown(path, self._uid, -1)
        return path

    def _file(self, name: str, content: str) -> None:
        path = os.path.join(self.home, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        os.chown(path, self._uid, -1)
        os.chmod(path, 0o400)

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        return self._request("GET", path, None, TOKEN)

    def post(self, path: str, document: object, token: str = TOKEN) -> tuple[int, dict[str, Any]]:
        return self._request("POST", path, document, token)

    def _request(self, method: str, path: str, document: object, token: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=150)
        try:
            body = (
                None if document is None else document if isinstance(document, bytes) else json.dumps(document).encode()
            )
            connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def processes(self) -> int:
        """The number of processes of the runner and its descendants, zombies included:
        two with the nursery when nothing runs.
        """
        parents = {int(pid): int(stat[1]) for pid in os.listdir("/proc") if pid.isdigit() and (stat := _stat(pid))}
        family = {self.pid}
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        return len(family)

    def nursery(self) -> int:
        """The process from which executions are forked."""
        return _only_child(self.pid)

    def exit_code(self) -> int:
        """Of a runner that exits by itself."""
        return self._process.wait(10)

    def resident(self) -> int:
        stat = _stat(str(self.pid))
        assert stat
        return int(stat[21]) * os.sysconf("SC_PAGE_SIZE")

    _serial = 0

    def request(self, program: str, tests: str, **changes: Any) -> dict[str, Any]:
        LiveRunner._serial += 1
        return {
            "id": f"5b1c-test/{LiveRunner._serial}",
            "epoch": 1,
            "entryPoint": "solve",
            "program": program,
            "tests": tests,
            "timeoutSeconds": 10,
            "memoryMiB": 256,
            **changes,
        }

    def execute(self, program: str, tests: str, **changes: Any) -> dict[str, Any]:
        status, answer = self.post("/execute", self.request(program, tests, **changes))
        if status != 200:
            raise AssertionError(f"{status} {answer}")
        return answer


def _only_child(pid: int) -> int:
    (child,) = [
        int(each) for each in os.listdir("/proc") if each.isdigit() and (_stat(each) or ["", ""])[1] == str(pid)
    ]
    return child


def _python() -> str:
    """Root's own interpreter may be in a directory that is closed to the scratch user."""
    return "/usr/bin/python3" if os.getuid() == 0 and os.path.exists("/usr/bin/python3") else sys.executable

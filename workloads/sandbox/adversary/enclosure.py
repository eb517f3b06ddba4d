"""A hand-made container: namespaces, volumes and a separate memory group, for one user without capabilities.

Not reproduced, so not judged here: the NetworkPolicy, the container runtime's own seccomp filter, the read-only root.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

NEEDED = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "prlimit": "util-linux",
    "mount": "mount",
}
# The volumes that controllers/epochs/sandbox.ts gives the pod; /dev/shm as container runtimes make it.
OUT_MIB, TMP_MIB, SHM_MIB = (
    40,
    8,
    64,
)
# The memory limit of a pod in which a program may have 256 MiB: `podMemoryMiB` there.
POD_MIB = 2 * 256 + OUT_MIB + TMP_MIB + 32
_REMOVE_SECONDS = 3
_CGROUPS = Path("/sys/fs/cgroup")
_MOUNTS = f"""set -e
out=$1 user=$2 group=$3 tree=$4; shift 4
mount -t tmpfs -o size={SHM_MIB}m,mode=1777 shm /dev/shm
mount -t tmpfs -o size={TMP_MIB}m,mode=1777 tmp /var/tmp
mount -t tmpfs -o size={TMP_MIB}m,mode=1777 tmp /tmp
[ -z "$out" ] || mount -t tmpfs -o size={OUT_MIB}m,mode=2777,uid=0,gid="$user" out "$out"
[ -z "$group" ] || mount --bind -o ro "$group" "$tree"
exec "$@"
"""


# Executed twice, because setpriv has root's rights until its first exec is done.
_RUN_AGAIN = "import os, sys; os.execv(sys.executable, [sys.executable, '-I', '-c', 'import sys; sys.exit(sys.version_info < (3, 11))'])"


class Unfit(Exception):
    """This machine can't run the attacks; the message says what to do."""


def require() -> None:
    """Raises Unfit with everything that is missing."""
    missing = [f"{name} (package {package})" for name, package in NEEDED.items() if shutil.which(name) is None]
    if sys.platform != "linux" or os.getuid() != 0:
        missing.insert(0, "root on Linux: the attacks run as users, and in namespaces, of their own")
    if missing:
        raise Unfit(f"the attacks on the sandbox need {'; '.join(missing)}")


def interpreter(uid: int) -> str:
    """A Python that this user may run: root's own may be in a directory that is closed to others. Raises Unfit."""
    for candidate in dict.fromkeys([sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"]):
        asked = [*as_user(uid), candidate, "-I", "-c", _RUN_AGAIN]
        if os.path.exists(candidate) and subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            return candidate
    raise Unfit("no Python 3.11 or later that other users may run: install the package python3")


def as_user(uid: int) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


def command(uid: int, out: Path | None, memory: "MemoryGroup | None", process_limit: int | None) -> list[str]:
    """The prefix of the runner's own command line;
    `out` is the volume to be mounted, None where a directory replaces it.
    """
    entered = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(memory.directory)] if memory else []
    tree = [str(memory.directory), str(memory.tree)] if memory else ["", ""]
    limit = [f"--nproc={process_limit}"] if process_limit else []
    return [
        *entered,
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--mount", "--pid", "--cgroup", "--fork", "--kill-child", "--mount-proc"),
        *("sh", "-c", _MOUNTS, "sh", str(out or ""), str(uid), *tree),
        *(["prlimit", *limit] if limit else []),
        *(*as_user(uid), "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
    ]


class MemoryGroup:
    """A cgroup that bounds the runner's memory as the pod's limit does, version 1 or 2."""

    def __init__(self, directory: Path, tree: Path, limit: str, told: str):
        self.directory, self.tree, self._told = directory, tree, told
        directory.mkdir()
        (directory / limit).write_text(str(POD_MIB << 20))

    @classmethod
    def made(cls, name: str) -> "MemoryGroup | None":
        """None where this machine provides no memory group."""
        for directory, tree, limit, told in _places(name):
            try:
                return cls(directory, tree, limit, told)
            except OSError:
                if directory.is_dir():
                    directory.rmdir()
        return None

    def kills(self) -> int:
        """How often the kernel killed a process because the group's memory was used up."""
        told = (self.directory / self._told).read_text()
        return int(re.findall(r"^oom_kill (\d+)", told, re.MULTILINE)[0])

    def remove(self) -> None:
        """Raises OSError if processes remain in it."""
        deadline = time.monotonic() + _REMOVE_SECONDS
        while True:
            try:
                return self.directory.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def _places(name: str) -> list[tuple[Path, Path, str, str]]:
    """Below the group of this process: (directory, root of its tree, file of the limit, file that counts kills)."""
    ours = {
        kinds: path.lstrip("/")
        for kinds, path in re.findall(r"^\d+:(.*):(.*)$", Path("/proc/self/cgroup").read_text(), re.MULTILINE)
    }
    first = _CGROUPS / "memory"
    own = first / ours.get("memory", "") if (first / ours.get("memory", "")).is_dir() else first
    return [
        (own / name, first, "memory.limit_in_bytes", "memory.oom_control"),
        (_CGROUPS / name, _CGROUPS, "memory.max", "memory.events"),
    ]

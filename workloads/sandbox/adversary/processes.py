"""Processes of one user, as /proc shows them."""

import os
import re

PAGE = os.sysconf("SC_PAGE_SIZE")
STATE, PARENT, GROUP, SESSION, NICE, RESIDENT = 0, 1, 2, 3, 16, 21  # indexes into stat_fields
_DEAD, _STOPPED = "ZX", "Tt"


def text_of(path: str) -> str:
    """A file's text, "" where it can't be read: processes come and go meanwhile."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def link_of(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def stat_fields(pid: int) -> list[str] | None:
    """/proc/<pid>/stat from the state (field 3 of proc(5)) on; None if the process doesn't exist."""
    text = text_of(f"/proc/{pid}/stat")
    return text.rpartition(")")[2].split() if text else None


def state(pid: int) -> str:
    """One of "running", "stopped", "gone"."""
    fields = stat_fields(pid)
    if not fields or fields[STATE] in _DEAD:
        return "gone"
    return "stopped" if fields[STATE] in _STOPPED else "running"


def user_ids(pid: int) -> tuple[str, ...]:
    """Real, effective, saved and file-system user ID; () if the process doesn't exist."""
    found = re.search(r"^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", text_of(f"/proc/{pid}/status"), re.MULTILINE)
    return found.groups() if found else ()


def of_user(uid: int) -> dict[int, str]:
    """Every process in which `uid` is one of the user IDs, with its command."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and str(uid) in user_ids(int(name)):
            found[int(name)] = command(int(name))
    return found


def command(pid: int) -> str:
    line = text_of(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
    return line or f"[{text_of(f'/proc/{pid}/comm').strip()}]"


def number_inside(pid: int) -> int:
    """The process ID in its own PID namespace; 0 if the process doesn't exist."""
    found = re.search(r"^NSpid:\s+(.*)$", text_of(f"/proc/{pid}/status"), re.MULTILINE)
    return int(found.group(1).split()[-1]) if found else 0


def children(pid: int) -> list[int]:
    return [int(each) for each in text_of(f"/proc/{pid}/task/{pid}/children").split()]


def resident_bytes(pid: int) -> int:
    """Also for a process whose first thread has ended: its stat shows no memory while the other threads live on."""
    fields = stat_fields(pid)
    pages = int(fields[RESIDENT]) if fields else 0
    if pages == 0:
        pages = max((_pages_of_task(pid, task) for task in _tasks(pid)), default=0)
    return pages * PAGE


def _tasks(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _pages_of_task(pid: int, task: str) -> int:
    fields = text_of(f"/proc/{pid}/task/{task}/statm").split()
    return int(fields[1]) if len(fields) > 1 else 0

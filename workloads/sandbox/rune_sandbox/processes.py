"""Groups of processes: how their leaders ended, what they use, and how to end them completely.

Each group's leader is the leader of a session, which neither it nor its children can leave. The runner is a subreaper:
orphans become the runner's own children.
"""

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

CONTROL_FD, CHANNEL_FD, REPORT_FD = 3, 4, 5
OUT_OF_MEMORY = 71
_END_SECONDS = 10
_LOOK_SECONDS = 0.001


class Unending(Exception):
    """Processes are left that can't be killed: nothing may run beside them."""


@dataclass(frozen=True)
class Ending:
    """How a process ended: with an exit code, or by a signal."""

    code: int | None
    signal: str | None
    by_us: bool = False


def signal_name(number: int) -> str:
    """SIGKILL and the like; real-time signals and those of libc have numbers only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Group:
    """A process group whose leader is our child.
    Not reaped before the whole group is killed, so its number can't be reused.
    """

    def __init__(self, pid: int):
        self.pid = pid
        self._ending: Ending | None = None
        self._killed = False

    def ending(self) -> Ending | None:
        """How the leader ended, None while it runs."""
        if self._ending is None and not self._killed:
            state = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if state is not None:
                exited = state.si_code == os.CLD_EXITED
                self._ending = Ending(state.si_status, None) if exited else Ending(None, signal_name(state.si_status))
        return self._ending

    def kill(self) -> Ending:
        """Kill every process of the group; returns how the leader ended.
        Raises Unending if the kernel doesn't end one.
        """
        if not self._killed:
            try:
                ended = self.ending()
            finally:  # even if `ending` raises
                for end in (os.killpg, os.kill):  # before it has a separate session, the leader is alone
                    _end(end, self.pid)
                self._reap()
                self._killed = True
            self._ending = ended or Ending(None, "SIGKILL", by_us=True)
        assert self._ending is not None  # set when it was killed
        return self._ending

    def _reap(self) -> None:
        """The leader, then its orphans: every member's ancestors are members, so once no member is our child none is
        left.
        """
        until = time.monotonic() + _END_SECONDS
        for which in (self.pid, -self.pid):
            while _reaped_or_alive(which, until):
                pass


def _reaped_or_alive(which: int, until: float) -> bool:
    """Reap one of `which` if it is dead. False when there is none."""
    try:
        if os.waitpid(which, os.WNOHANG)[0] == 0:
            _pause(until, f"a process of group {abs(which)} doesn't end")
    except ChildProcessError:
        return False
    return True


def _pause(until: float, message: str) -> None:
    if time.monotonic() > until:
        raise Unending(message)
    time.sleep(_LOOK_SECONDS)


def _end(how: Any, number: int) -> None:
    try:
        how(number, signal.SIGKILL)
    except ProcessLookupError:
        return


def end_strangers(known: set[int] | set[int | None]) -> None:
    """Kill every descendant of this process but `known` and theirs. Raises Unending if one is left."""
    until = time.monotonic() + _END_SECONDS
    while strangers := _children() - known:
        for pid in strangers:
            _end(os.kill, pid)
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue
        if strangers := _children() - known:
            _pause(until, f"{len(strangers)} processes don't end")


def _children() -> set[int]:
    """Our child processes. Leftovers of executions are among them, or descendants of one."""
    ours = str(os.getpid())
    return {
        int(name)
        for name in os.listdir("/proc")
        if name.isdigit() and (fields := stat_fields(name)) and fields[1] == ours
    }


def stat_fields(pid: str) -> list[str] | None:
    """/proc's fields of a process, from its state (field 3 of proc(5)) on; None if it doesn't exist."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None

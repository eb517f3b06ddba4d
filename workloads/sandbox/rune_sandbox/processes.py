"""Groups of processes: how their leaders ended, what they use, and how they are ended so that nothing of them is left.

Each group's leader is the leader of a session, which neither it nor its children can leave. The runner is a subreaper: whatever outlives
its parent becomes the runner's own child.
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
    """Processes are left that can't be ended: nothing may run beside them."""


@dataclass(frozen=True)
class Ending:
    """How a process ended: by itself with a code, or by a signal."""

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
    """A process group whose leader is our child. Not reaped before it is killed whole, so its number can't be given to another."""

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
        """End every process of the group; how the leader ended. Raises Unending where the kernel doesn't let go of one."""
        if not self._killed:
            try:
                ended = self.ending()
            finally:  # whatever there is to say of it
                for end in (os.killpg, os.kill):  # before it has a session of its own, the leader is alone
                    _end(end, self.pid)
                self._reap()
                self._killed = True
            self._ending = ended or Ending(None, "SIGKILL", by_us=True)
        assert self._ending is not None  # set by whoever killed it
        return self._ending

    def _reap(self) -> None:
        """The leader, then its orphans: every member's ancestors are members, so once none is our child none is left."""
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
    """End every descendant of this process but `known` and theirs. Raises Unending if one is left after all."""
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
    """Every process that is ours to reap. What executions leave behind is among them, or below one that is."""
    ours = str(os.getpid())
    return {
        int(name)
        for name in os.listdir("/proc")
        if name.isdigit() and (fields := stat_fields(name)) and fields[1] == ours
    }


def stat_fields(pid: str) -> list[str] | None:
    """What /proc says of a process, from its state (field 3 of proc(5)) on; None where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None

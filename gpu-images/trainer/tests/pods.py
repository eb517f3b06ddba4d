"""Trainers in separate processes, as in pods: the real program, real signals, real exit codes.

They are forked from a process that has imported what the program imports and done nothing else, so a start takes
milliseconds. Nothing of the tests' own process is in them.
"""

import io
import multiprocessing
import multiprocessing.forkserver
import os
import pathlib
import runpy
import sys
import tempfile
import time
from multiprocessing.connection import Connection

import pytest
from worlds import SOURCE, Place

IMPORTED = ["rune_trainer.main", "peft", "transformers.models.qwen2.modeling_qwen2", "cma"]
SERVER = multiprocessing.get_context("forkserver")
TICKS = os.sysconf("SC_CLK_TCK")
POLL_SECONDS = 0.002


class Pod:
    """A running trainer. It is timed by its CPU time: on a shared machine wall time means little."""

    def __init__(self, place: Place, volume: pathlib.Path):
        """Starts it. Its /tmp is a new directory in `volume`, its log a file there;
        the termination message of an earlier pod is removed.
        """
        place.termination.unlink(missing_ok=True)
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="pod.", dir=volume))
        self.log = scratch / "log"
        serve()
        begun, begins = SERVER.Pipe(duplex=False)
        self.process = SERVER.Process(target=live, args=(place.environment(), scratch, begins), daemon=True)
        self.process.start()
        begins.close()
        begun.recv()
        self.before = self.ticks() or 0

    def ticks(self) -> int | None:
        """Its CPU time as counted by the kernel; None when it has exited."""
        try:
            fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else int(fields[11]) + int(fields[12])

    def seconds(self) -> float | None:
        ticks = self.ticks()
        return None if ticks is None else (ticks - self.before) / TICKS

    def work(self, seconds: float) -> float:
        """Waits until it has used that much CPU time, or has exited; returns what it used."""
        used = 0.0
        while (now := self.seconds()) is not None and (used := now) < seconds:
            time.sleep(POLL_SECONDS)
        return used

    def signal(self, number: int) -> None:
        """Does nothing if it has exited by itself."""
        if self.process.is_alive():
            os.kill(self.process.pid or 0, number)

    def end(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        self.process.join(120)
        assert self.process.exitcode is not None, self.log.read_text()
        return self.process.exitcode


def serve() -> None:
    """Starts the process that pods are forked from, unless it is running.
    It finds the program's modules by the environment.
    """
    SERVER.set_forkserver_preload(IMPORTED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(SOURCE))
        # Killed pods leave the semaphores of progress bars, which multiprocessing removes at its end, with a warning.
        patch.setenv("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")
        multiprocessing.forkserver.ensure_running()


def live(environment: dict[str, str], scratch: pathlib.Path, begins: Connection) -> None:
    """The program of a pod's process: `python -m rune_trainer`."""
    os.environ.update(environment)
    tempfile.tempdir = str(scratch)
    log = os.open(scratch / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)
    begins.send("begins")
    runpy.run_module("rune_trainer", run_name="__main__", alter_sys=True)

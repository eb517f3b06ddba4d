"""A training in several processes, seen from the one that started them: it trains nothing itself, passes SIGTERM on, and
sees to it that all end when one does.

The ending of the worker that failed first is the run's. A worker that merely lost the others says nothing about the
cause, so its words count only where no other worker has better ones.
"""

import multiprocessing
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from rune_trainer import workers
from rune_trainer.contract import Job
from rune_trainer.errors import Ending, ending_of, misconfigured, terminated
from rune_trainer.mlflow import Tracker
from rune_trainer.progress import Reporter
from rune_trainer.runtime import Runtime
from rune_trainer.workers import Lost

START: Any = multiprocessing.get_context("spawn")
"""CUDA can't be used in a process that was forked from one that has looked at its devices."""
GRACE_SECONDS = 10.0
"""From the first failure until the other workers are killed: they may wait for one that is no more."""

Work = Callable[[Job, Runtime], dict[str, Any]]


@dataclass(frozen=True)
class Begun:
    """Has joined the others, and heeds SIGTERM from now on."""


@dataclass(frozen=True)
class Done:
    """Has nothing more to do; `values` are the run's, of the first worker."""

    values: dict[str, Any]


@dataclass
class Worker:
    """A process, as the supervisor knows it."""

    process: BaseProcess
    messages: Connection
    device: torch.device
    begun: bool = False


def run(work: Work, job: Job, runtime: Runtime) -> dict[str, Any]:
    """The values that `work` returns in the first of `job.workers` processes. Raises the `Ending` of the run."""
    count = job.workers or 1
    devices = devices_for(count)
    with tempfile.TemporaryDirectory(prefix="workers.") as scratch:
        team = Team(runtime)
        signal.signal(signal.SIGTERM, lambda *_: team.stop())
        if runtime.stopping():
            team.stop()
        try:
            for number, device in enumerate(devices):
                seat = Seat(number, count, device, pathlib.Path(scratch, "meeting"), runtime.tracker.run_id)
                team.add(work, job, seat)
            return team.values()
        finally:
            team.kill()
            team.bury()


def devices_for(count: int) -> list[torch.device]:
    """A GPU for each worker; without any, the CPU for all of them."""
    visible = torch.cuda.device_count()
    if not visible:
        return [torch.device("cpu")] * count
    if visible < count:
        raise misconfigured(
            "GPUsMissing",
            f"the run asks for {count} GPUs, and torch sees {visible} in its pod; ask for {visible} in a new run. "
            "Instances of one divided GPU can't work together",
        )
    return [torch.device("cuda", index) for index in range(count)]


class Team:
    """The workers, and what they have said."""

    def __init__(self, runtime: Runtime):
        self.runtime, self.workers = runtime, list[Worker]()
        self.open = dict[Connection, Worker]()
        """Those of which an ending is still to come."""
        self.values_of_first: dict[str, Any] | None = None
        self.failure: Ending | None = None
        self.lost: Lost | None = None
        self.until = float("inf")
        self.given_up = False
        """They were killed before they had begun, because that was asked for."""

    def add(self, work: Work, job: Job, seat: "Seat") -> None:
        messages, theirs = START.Pipe(duplex=False)
        process = START.Process(target=live, args=(work, job, seat, theirs), daemon=True)
        process.start()
        theirs.close()
        worker = Worker(process, messages, seat.device)
        self.workers.append(worker)
        self.open[messages] = worker

    def stop(self) -> None:
        """Workers that train write a checkpoint; before they have begun there is nothing to save."""
        self.runtime.stop.set()
        if self.workers and all(worker.begun for worker in self.workers):
            for worker in self.workers:
                worker.process.terminate()
        else:
            self.given_up = True
            self.kill()

    def kill(self) -> None:
        for worker in self.workers:
            worker.process.kill()

    def bury(self) -> None:
        """Gives up on one that even SIGKILL doesn't end soon, as in a driver that hangs."""
        for worker in self.workers:
            worker.process.join(GRACE_SECONDS)

    def values(self) -> dict[str, Any]:
        """Waits until all have ended, or for a while once one has failed."""
        while self.open and not self.given_up:
            ready = connection.wait(list(self.open), self.patience())
            if not ready:
                break
            for messages in ready:
                assert isinstance(messages, Connection)
                self.hear(messages)
        if self.values_of_first is not None:
            return self.values_of_first
        if self.given_up:
            raise terminated("asked to stop before its processes had begun; the next attempt begins as this one did")
        raise self.failure or Ending(
            1,
            "Unexpected",
            f"the trainer's processes lost each other: {self.lost}; the next attempt goes on from the last checkpoint",
        )

    def patience(self) -> float | None:
        return None if self.until == float("inf") else max(0.0, self.until - time.monotonic())

    def hear(self, messages: Connection) -> None:
        worker = self.open[messages]
        try:
            said = messages.recv()
        except (EOFError, OSError):
            said = self.death_of(worker)
        if isinstance(said, Begun):
            worker.begun = True
            return
        del self.open[messages]
        if isinstance(said, Done):
            self.values_of_first = said.values if worker is self.workers[0] else self.values_of_first
            return
        self.until = min(self.until, time.monotonic() + GRACE_SECONDS)
        if isinstance(said, Lost):
            self.lost = self.lost or said
        else:
            self.failure = self.failure or said

    def death_of(self, worker: Worker) -> Ending:
        """Of one that said nothing."""
        worker.process.join()
        number, code = self.workers.index(worker) + 1, worker.process.exitcode
        who = f"process {number} of {len(self.workers)} (on {worker.device})"
        if code == -signal.SIGKILL:
            return Ending(
                1,
                "OutOfMemory",
                f"{who} was killed, most likely because the pod's memory was used up: each process needs as much as one alone; raise resources.memory, or ask for fewer GPUs",
            )
        how = f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
        return Ending(1, "Unexpected", f"{who} ended by {how} without a word; look at its log")


@dataclass(frozen=True)
class Seat:
    """A worker's place among the others."""

    number: int
    count: int
    device: torch.device
    meeting: pathlib.Path
    tracked: str | None
    """The tracker's run, which the supervisor begins and ends."""


def live(work: Work, job: Job, seat: Seat, messages: Connection) -> None:
    """The whole of a worker's process. It leaves without Python's clean-up, in which NCCL may wait for others."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    if seat.number > 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (until the process ends)
    messages.send(said_of(work, job, seat, messages))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def said_of(work: Work, job: Job, seat: Seat, messages: Connection) -> Done | Ending | Lost:
    """How the work of this worker ended; the first alone reports it to others than the supervisor."""
    first = seat.number == 0
    reporter = Reporter(job.nats if first else None, job.owner.uid)
    tracker = Tracker(job.mlflow, seat.tracked) if first else Tracker(None)
    runtime = Runtime(reporter, tracker)
    runtime.heed_signals()
    try:
        runtime.workers = workers.join(seat.number, seat.count, seat.meeting, seat.device)
        messages.send(Begun())
        return Done(work(job, runtime))
    except Lost as lost:
        return Lost(str(lost))
    except Exception as error:
        return ending_of(error)
    finally:
        tracker.flush()
        reporter.close()


def end_with_parent() -> None:
    """A worker without its supervisor would train on unseen."""
    parent = multiprocessing.parent_process()
    assert parent
    connection.wait([parent.sentinel])
    os._exit(1)

"""One execution: a candidate and a judge, watched until there is a verdict or a reason to stop;
afterwards nothing of them is left.
"""

import hmac
import json
import os
import secrets
import selectors
import socket
import time
from contextlib import ExitStack
from typing import Any, get_args

from rune_sandbox import scratch, usage, wire
from rune_sandbox.contract import Outcome
from rune_sandbox.nursery import Newborn
from rune_sandbox.pipe import Pipe
from rune_sandbox.processes import CHANNEL_FD, OUT_OF_MEMORY, REPORT_FD, Ending
from rune_sandbox.requests import Execution
from rune_sandbox.workspace import Workspace

_TICK_SECONDS = 0.02
_POLICE_SECONDS = 0.05
_GRACE_SECONDS = 0.5  # for the candidate to exit by itself after the verdict
_REPORT_BYTES = 64 * 1024
_LEAST_JUDGE_BYTES = 64 << 20
_RUNNER_RESERVE_BYTES = 24 << 20  # of the sandbox's memory: nothing that a program holds may take it
_OUTCOMES = frozenset(get_args(Outcome)) - {"Timeout"}  # that a judge may report


class Unavailable(Exception):
    """The sandbox itself failed; nothing is known about the program, and nothing is stored."""


def judge_bytes(memory_bytes: int) -> int:
    """The tests' memory beside a program that may use `memory_bytes`: half as much. An idle judge takes 15 MiB."""
    return max(_LEAST_JUDGE_BYTES, memory_bytes // 2)


def execute(asked: Execution, workspace: Workspace) -> dict[str, Any]:
    """Run it and return the result. Raises Unavailable when the sandbox, not the program, is at fault, and anything
    else (Unending above all) when the sandbox's state is no longer known: then the runner must exit."""
    with ExitStack() as stack:
        try:
            run = _Run(asked, workspace, stack)
        except OSError as error:
            raise Unavailable(f"the execution could not be started: {error}") from error
        return run.result()


class _Run:
    def __init__(self, asked: Execution, workspace: Workspace, stack: ExitStack):
        self._asked, self._workspace = asked, workspace
        self._nonce = secrets.token_hex(32)
        self._directory = stack.enter_context(workspace.volume.fresh("program-"))
        self._judge_directory = stack.enter_context(workspace.volume.fresh("judge-"))
        # So that the directories are removed when no process is left that could write in them.
        stack.enter_context(workspace.alone())
        self._selector = stack.enter_context(selectors.DefaultSelector())
        pipes = [Pipe(stack, limit) for limit in (*[asked.output_bytes] * 4, _REPORT_BYTES)]
        self._stdout, self._stderr, self._judge_stdout, self._judge_stderr, self._report = pipes
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with ours, theirs:
            judged = {1: self._stdout.writing, 2: self._stderr.writing, CHANNEL_FD: theirs.fileno()}
            judging = {
                1: self._judge_stdout.writing,
                2: self._judge_stderr.writing,
                CHANNEL_FD: ours.fileno(),
                REPORT_FD: self._report.writing,
            }
            try:
                newborns = self._born("judge", judging, stack), self._born("candidate", judged, stack)
            finally:
                for pipe in pipes:
                    os.close(pipe.writing)
        self._judge, self._candidate = (newborn.group for newborn in newborns)
        self._begin(*newborns)
        for pipe in pipes:
            self._selector.register(pipe, selectors.EVENT_READ)

    def _born(self, part: str, descriptors: dict[int, int], stack: ExitStack) -> Newborn:
        newborn = self._workspace.nursery.born(part, descriptors)
        stack.callback(newborn.group.kill)
        stack.callback(newborn.close)
        return newborn

    def _begin(self, judge: Newborn, candidate: Newborn) -> None:
        """Neither gets its document before both are locked: until then each could be read by the other.
        Then the clock starts.
        """
        memory, seconds = self._asked.memory_bytes, self._asked.timeout_seconds
        judge.lock(self._workspace.lock_for(self._judge_directory.path, judge_bytes(memory), seconds))
        candidate.lock(self._workspace.lock_for(self._directory.path, memory, seconds, is_candidate=True))
        judge.await_lock()
        candidate.await_lock()
        both = {"entryPoint": self._asked.entry_point, "frameBytes": wire.frame_bytes(memory)}
        judge.begin({**both, "tests": self._asked.tests, "nonce": self._nonce})
        candidate.begin({**both, "program": self._asked.program})
        self._started = self._policed = time.monotonic()

    def result(self) -> dict[str, Any]:
        stopped = self._watch()
        if stopped is None:
            self._await_candidate()
        judge_ending, ending = self._judge.kill(), self._candidate.kill()
        for pipe in (self._stdout, self._stderr, self._judge_stdout, self._judge_stderr, self._report):
            pipe.drain()
        outcome, error = stopped or self._verdict(judge_ending, ending)
        return {
            "id": self._asked.id,
            "epoch": self._asked.epoch,
            "passed": outcome == "Passed",
            "outcome": outcome,
            "error": error,
            "stdout": self._joined(self._stdout, self._judge_stdout),
            "stderr": self._joined(self._stderr, self._judge_stderr),
            "durationSeconds": round(time.monotonic() - self._started, 3),
            **({"exitCode": ending.code} if ending.signal is None else {"signal": ending.signal}),
        }

    def _watch(self) -> tuple[str, str] | None:
        """Until the judge has reported or exited (None), or the reason why it was stopped.
        Its children may hold the report open.
        """
        deadline = self._started + self._asked.timeout_seconds
        while not self._report.ended and not self._judge.ending():
            self._read()
            if time.monotonic() > deadline:
                return "Timeout", f"not done after {self._asked.timeout_seconds:g} seconds"
            if reason := self._police():
                return reason
            if self._candidate.ending():
                self._candidate.kill()  # its children, too: so that the judge sees the channel close
        return None

    def _read(self) -> None:
        for key, _ in self._selector.select(_TICK_SECONDS):
            read: Any = key.fileobj
            read.read()
            if read.ended:
                self._selector.unregister(read)

    def _await_candidate(self) -> None:
        end = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < end and not self._candidate.ending():
            self._read()
            if not self._selector.get_map():
                time.sleep(_TICK_SECONDS / 10)

    def _police(self) -> tuple[str, str] | None:
        """What no rlimit bounds: the sums over all processes and all files of the execution, and what the kernel holds
        for them.
        """
        if time.monotonic() < self._policed + _POLICE_SECONDS:
            return None
        reason = self._memory() or self._files()
        self._policed = time.monotonic()
        return reason

    def _memory(self) -> tuple[str, str] | None:
        used = usage.of_groups((self._candidate.pid, self._judge.pid))
        program, tests = used[self._candidate.pid], used[self._judge.pid]
        if program.threads > self._workspace.processes:
            return "Error", f"the program started more than {self._workspace.processes} processes and threads"
        most = self._asked.memory_bytes
        if program.resident > most:
            return "OutOfMemory", f"the program's processes used more than {most >> 20} MiB together"
        if tests.resident > (allowed := judge_bytes(most)):
            return "OutOfMemory", f"the tests' processes used more than {allowed >> 20} MiB together"
        if program.resident + tests.resident + (usage.of_unix_sockets() or 0) > most + allowed:
            return (
                "OutOfMemory",
                f"processes and buffers of sockets used more than {(most + allowed) >> 20} MiB together",
            )
        charged, limit = self._workspace.charged.bytes(), self._workspace.charged.limit
        if charged is not None and limit is not None and charged > limit - _RUNNER_RESERVE_BYTES:
            return "OutOfMemory", "program and tests used up the sandbox's memory, with what the kernel holds for them"
        return None

    def _files(self) -> tuple[str, str] | None:
        volume, most = self._workspace.volume, self._workspace.config.file_bytes
        too_much = "OutputLimit", f"more than {most >> 20} MiB or {scratch.MAX_ENTRIES} files in the output directory"
        if volume.of_its_own:
            used = volume.usage()
            if used.bytes > 2 * most or used.files > 2 * scratch.MAX_ENTRIES:
                return too_much
        if self._workspace.shared and self._workspace.shared.usage().bytes > most:
            return "OutputLimit", f"more than {most >> 20} MiB of shared memory"
        for directory in (self._directory, self._judge_directory):
            if scratch.exceeds(directory.descriptor, most, closed_count=not volume.of_its_own):
                return (
                    too_much
                    if volume.of_its_own
                    else (too_much[0], f"{too_much[1]}, or a directory closed to the runner")
                )
        return None

    def _verdict(self, judge_ending: Ending, ending: Ending) -> tuple[str, str]:
        """Only a report with this execution's nonce counts."""
        report = _genuine(self._report.content, self._nonce)
        if report is None:
            return _without_verdict(judge_ending)
        if report["lost"]:
            return _lost(ending, printable(report["error"]))
        return report["outcome"], printable(report["error"])

    def _joined(self, program: Pipe, tests: Pipe) -> str:
        return program.text() + tests.text(self._asked.output_bytes - len(program.content))


def _genuine(content: bytes | bytearray, nonce: str) -> dict[str, Any] | None:
    """The judge's report, if it is one."""
    try:
        report = json.loads(content)
        known = hmac.compare_digest(str(report["nonce"]).encode(), nonce.encode()) and report["outcome"] in _OUTCOMES
        return report if known and isinstance(report["error"], str) and isinstance(report["lost"], bool) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def printable(text: str) -> str:
    """Lone surrogates are legal in Python's strings, in UTF-8 they are not."""
    return text.encode("utf-8", "replace").decode()


def _without_verdict(judge: Ending) -> tuple[str, str]:
    how = judge.signal or f"exit code {judge.code}"
    if judge.signal == "SIGKILL" or judge.code == OUT_OF_MEMORY:
        return "OutOfMemory", "the tests used up their memory or CPU time"
    return "Error", f"the tests ended without a verdict ({how})"


def _lost(candidate: Ending, error: str) -> tuple[str, str]:
    """The candidate ended in the middle: why?"""
    if candidate.by_us:  # it ran to the end, but its answer was invalid
        return "Error", error
    if candidate.signal == "SIGKILL":
        return "OutOfMemory", "the program was killed by the kernel: it used up its memory or its CPU time"
    if candidate.signal == "SIGXCPU":
        return "Timeout", "the program used up its CPU time"
    if candidate.signal:
        return "Error", f"the program was ended by {candidate.signal} before the tests were done"
    if candidate.code == OUT_OF_MEMORY:
        return "OutOfMemory", "the program used up its memory"
    return "Error", f"the program ended with exit code {candidate.code} before the tests were done"

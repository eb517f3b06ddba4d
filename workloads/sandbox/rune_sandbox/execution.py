"""One execution: a candidate and a judge, watched until there is a verdict or a reason to stop; then nothing of them is left."""

import hmac
import json
import math
import os
import secrets
import selectors
import time
from contextlib import ExitStack

from rune_sandbox import landlock, scratch
from rune_sandbox.config import Config
from rune_sandbox.contract import Execution
from rune_sandbox.lock import Lock
from rune_sandbox.processes import CHANNEL_FD, LOCK_FAILED, OUT_OF_MEMORY, REPORT_FD, Ending, Group, channel_pair, spawn

_TICK_SECONDS = 0.02
_POLICE_SECONDS = 0.1
_GRACE_SECONDS = 0.5  # for the candidate to end by itself after the verdict
_REPORT_BYTES = 64 * 1024
_LEAST_JUDGE_BYTES = 64 << 20
_OUTCOMES = {"Passed", "Failed", "Error", "OutOfMemory", "OutputLimit", "NoTests", "TestsUnusable"}


class Unavailable(Exception):
    """The sandbox itself failed; nothing is known about the program, nothing is stored."""


def lock_for(config: Config, directory: str, memory_bytes: int, seconds: float) -> Lock:
    return Lock(
        directory=directory,
        library=config.library,
        memory_bytes=memory_bytes,
        cpu_seconds=math.ceil(seconds) + 1,
        file_bytes=config.file_bytes,
        processes=config.processes,
        open_files=256,
        landlock=landlock.abi() > 0 or not config.without_landlock,
    )


def judge_bytes(memory_bytes: int) -> int:
    """What the tests may use beside a program that may use `memory_bytes`: half as much. An idle judge takes 15 MiB."""
    return max(_LEAST_JUDGE_BYTES, memory_bytes // 2)


def execute(asked: Execution, config: Config) -> dict:
    """Run it and say how it went. Raises Unavailable when the sandbox, not the program, is at fault."""
    with ExitStack() as stack:
        try:
            run = _Run(asked, config, stack)
        except OSError as error:
            raise Unavailable(f"the execution could not be started: {error}") from error
        return run.result()


class Pipe:
    """The reading end of a pipe; keeps the first `limit` bytes, and says when there was more."""

    def __init__(self, stack: ExitStack, limit: int):
        self._reading, self.writing = os.pipe()
        stack.callback(os.close, self._reading)
        os.set_blocking(self._reading, False)
        self._limit = limit
        self.content = bytearray()
        self.overflowed = False
        self.ended = False

    def fileno(self) -> int:
        return self._reading

    def read(self) -> bool:
        """Read once; False when there was nothing to read now."""
        try:
            part = os.read(self._reading, 65536)
        except BlockingIOError:
            return False
        self.ended = self.ended or not part
        room = self._limit - len(self.content)
        self.content += part[:room]
        self.overflowed = self.overflowed or len(part) > room
        return bool(part)

    def drain(self) -> None:
        while not self.overflowed and self.read():
            pass

    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


class _Run:
    def __init__(self, asked: Execution, config: Config, stack: ExitStack):
        self._asked, self._config = asked, config
        self._nonce = secrets.token_hex(32)
        self._directory = stack.enter_context(scratch.fresh(config.output, "program-"))
        judge_directory = stack.enter_context(scratch.fresh(config.output, "judge-"))
        self._selector = stack.enter_context(selectors.DefaultSelector())
        pipes = [Pipe(stack, limit) for limit in (*[asked.output_bytes] * 4, _REPORT_BYTES)]
        self._stdout, self._stderr, self._judge_stdout, self._judge_stderr, self._report = pipes
        ours, theirs = channel_pair()
        self._started = time.monotonic()
        self._policed = self._started
        try:
            self._judge = self._start(
                stack,
                "judge",
                judge_directory,
                judge_bytes(asked.memory_bytes),
                {"tests": asked.tests, "nonce": self._nonce},
                {
                    1: self._judge_stdout.writing,
                    2: self._judge_stderr.writing,
                    CHANNEL_FD: ours,
                    REPORT_FD: self._report.writing,
                },
            )
            self._candidate = self._start(
                stack,
                "candidate",
                self._directory,
                asked.memory_bytes,
                {"program": asked.program},
                {
                    1: self._stdout.writing,
                    2: self._stderr.writing,
                    CHANNEL_FD: theirs,
                },
            )
        finally:
            for descriptor in [ours, theirs, *(pipe.writing for pipe in pipes)]:
                os.close(descriptor)
        for pipe in pipes:
            self._selector.register(pipe, selectors.EVENT_READ)

    def _start(self, stack: ExitStack, part: str, directory: str, memory_bytes: int, document: dict, descriptors: dict) -> Group:
        lock = lock_for(self._config, directory, memory_bytes, self._asked.timeout_seconds)
        group = spawn(part, lock, {"entryPoint": self._asked.entry_point, **document}, descriptors)
        stack.callback(group.kill)
        return group

    def result(self) -> dict:
        stopped = self._watch()
        if stopped is None:
            self._await_candidate()
        judge_ending, ending = self._judge.kill(), self._candidate.kill()
        for pipe in (self._stdout, self._stderr, self._judge_stdout, self._judge_stderr, self._report):
            pipe.drain()
        outcome, error = stopped or self._overflow() or self._verdict(judge_ending, ending)
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
        """Until the judge has reported (None), or the reason why it was stopped."""
        deadline = self._started + self._asked.timeout_seconds
        while not self._report.ended:
            self._read()
            if time.monotonic() > deadline:
                return "Timeout", f"not done after {self._asked.timeout_seconds:g} seconds"
            if reason := self._overflow() or self._police():
                return reason
            if self._candidate.ending():
                self._candidate.kill()  # its children, too: so that the judge learns that nobody will answer
        return None

    def _read(self) -> None:
        for key, _ in self._selector.select(_TICK_SECONDS):
            key.fileobj.read()
            if key.fileobj.ended:
                self._selector.unregister(key.fileobj)

    def _await_candidate(self) -> None:
        end = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < end and not self._candidate.ending() and not self._overflow():
            self._read()
            if not self._selector.get_map():
                time.sleep(_TICK_SECONDS)

    def _overflow(self) -> tuple[str, str] | None:
        for name, pipe in (
            ("stdout", self._stdout),
            ("stderr", self._stderr),
            ("the tests' stdout", self._judge_stdout),
            ("the tests' stderr", self._judge_stderr),
        ):
            if pipe.overflowed:
                return "OutputLimit", f"more than {self._asked.output_bytes} bytes on {name}"
        return None

    def _police(self) -> tuple[str, str] | None:
        """What no rlimit bounds: the sums over all processes and all files of the execution."""
        if time.monotonic() < self._policed + _POLICE_SECONDS:
            return None
        self._policed = time.monotonic()
        threads, resident = self._candidate.usage()
        if resident > self._asked.memory_bytes:
            return "OutOfMemory", f"the program's processes used more than {self._asked.memory_bytes >> 20} MiB together"
        _, tests_resident = self._judge.usage()
        if tests_resident > (allowed := judge_bytes(self._asked.memory_bytes)):
            return "OutOfMemory", f"the tests' processes used more than {allowed >> 20} MiB together"
        if threads > self._config.processes:
            return "Error", f"the program started more than {self._config.processes} processes and threads"
        if scratch.exceeds(self._directory, self._config.file_bytes):
            return (
                "OutputLimit",
                f"more than {self._config.file_bytes >> 20} MiB or {scratch.MAX_ENTRIES} files in the output directory, or a directory closed to the runner",
            )
        return None

    def _verdict(self, judge_ending: Ending, ending: Ending) -> tuple[str, str]:
        """Only what carries this execution's nonce counts."""
        if judge_ending.code == LOCK_FAILED:
            raise Unavailable(self._judge_stderr.text().strip())
        try:
            report = json.loads(self._report.content)
            genuine = hmac.compare_digest(str(report["nonce"]), self._nonce) and report["outcome"] in _OUTCOMES
        except (ValueError, KeyError, TypeError):
            genuine = False
        if not genuine:
            return _without_verdict(judge_ending)
        if report["lost"]:
            return _lost(ending, _printable(report["error"]))
        return report["outcome"], _printable(report["error"])

    def _joined(self, program: Pipe, tests: Pipe) -> str:
        return program.text() + tests.text()[: max(0, self._asked.output_bytes - len(program.content))]


def _printable(text: str) -> str:
    """Lone surrogates are legal in Python's strings, in UTF-8 they are not."""
    return text.encode("utf-8", "replace").decode()


def _without_verdict(judge: Ending) -> tuple[str, str]:
    how = f"signal {judge.signal}" if judge.signal else f"exit code {judge.code}"
    if judge.signal == "SIGKILL" or judge.code == OUT_OF_MEMORY:
        return "OutOfMemory", "the tests used up their memory or CPU time"
    return "Error", f"the tests ended without a verdict ({how})"


def _lost(candidate: Ending, error: str) -> tuple[str, str]:
    """The candidate ended in the middle: why?"""
    if candidate.by_us:  # it was there to the end, but said what is no answer
        return "Error", error
    if candidate.signal == "SIGKILL":
        return "OutOfMemory", "the program was killed by the kernel: it used up its memory or its CPU time"
    if candidate.signal == "SIGXCPU":
        return "Timeout", "the program used up its CPU time"
    if candidate.signal:
        return "Error", f"the program was ended by {candidate.signal} before the tests were done"
    if candidate.code == OUT_OF_MEMORY:
        return "OutOfMemory", "the program used up its memory"
    if candidate.code == LOCK_FAILED:
        return "Error", f"the program ended with exit code {LOCK_FAILED} before the tests were done; see stderr"
    return "Error", f"the program ended with exit code {candidate.code} before the tests were done"

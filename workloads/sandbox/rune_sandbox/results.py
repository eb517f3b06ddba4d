"""Results by request id: each is executed once, however many requests there are for it."""

import threading
from collections.abc import Callable
from typing import Any

from rune_sandbox.requests import Execution

_KEPT_OUTPUT_BYTES, _KEPT_ERROR_BYTES = 4096, 1024
_OUTPUTS = ("stdout", "stderr")


class StaleEpoch(Exception):
    """A newer agent has taken over."""


class IdReused(Exception):
    """The id belongs to another request."""


class Full(Exception):
    """Everything stored belongs to the current epoch, and there is no room for more."""


class _Entry:
    def __init__(self, asked: Execution):
        self.digest = asked.digest
        self.epoch = asked.epoch
        self.done = threading.Event()
        self.verdict: dict[str, Any] | None = None
        self.outputs: tuple[bytes, ...] = (b"", b"")
        self.failure: BaseException | None = None

    @property
    def output_size(self) -> int:
        return sum(map(len, self.outputs))

    def result(self) -> dict[str, Any]:
        assert self.verdict is not None  # only read when it is done
        return {
            **self.verdict,
            **{name: kept.decode("utf-8", "replace") for name, kept in zip(_OUTPUTS, self.outputs, strict=True)},
        }


class Results:
    """At most `count` verdicts; the oldest of earlier epochs make room, those of the current one never do. Only the
    last few KiB of output are kept, at most `size` bytes of all: the oldest make room."""

    def __init__(self, count: int, size: int):
        self._count, self._size = count, size
        self._entries: dict[str, _Entry] = {}
        self._epoch = 0
        self._output = 0
        self._lock = threading.Lock()

    def once(self, asked: Execution, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """`run`'s result, or the stored result of an earlier call, or of the one in flight. A `run` that raises is
        forgotten, and raised in all waiting calls."""
        entry, mine = self._entry(asked)
        if mine:
            return self._settle(asked.id, entry, run)
        entry.done.wait()
        if entry.failure:
            raise entry.failure
        return entry.result()

    def _entry(self, asked: Execution) -> tuple[_Entry, bool]:
        with self._lock:
            if asked.epoch < self._epoch:
                raise StaleEpoch(f"epoch {asked.epoch} is over; the highest seen is {self._epoch}")
            self._epoch = asked.epoch
            known = self._entries.get(asked.id)
            if known is None:
                self._make_room()
                self._entries[asked.id] = entry = _Entry(asked)
                return entry, True
            if known.digest != asked.digest:
                raise IdReused(f"{asked.id} was asked before with another body")
            known.epoch = asked.epoch
            return known, False

    def _make_room(self) -> None:
        for identity in [
            each for each, entry in self._entries.items() if entry.epoch < self._epoch and entry.done.is_set()
        ]:
            if len(self._entries) < self._count:
                return
            self._output -= self._entries.pop(identity).output_size
        if len(self._entries) >= self._count:
            raise Full(
                f"{len(self._entries)} results of epoch {self._epoch} are stored; a new sandbox is needed for more"
            )

    def _settle(self, identity: str, entry: _Entry, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            result = run()
            with self._lock:
                self._store(entry, result)
            return result
        except BaseException as failure:
            entry.failure = failure
            with self._lock:
                del self._entries[identity]
            raise
        finally:
            entry.done.set()

    def _store(self, entry: _Entry, result: dict[str, Any]) -> None:
        entry.verdict = {**result, "error": _first(result.get("error", ""), _KEPT_ERROR_BYTES)}
        entry.outputs = tuple(_last(entry.verdict.pop(name, ""), _KEPT_OUTPUT_BYTES) for name in _OUTPUTS)
        self._output += entry.output_size
        for older in self._entries.values():
            if self._output <= self._size:
                return
            if older.verdict is not None:
                self._output -= older.output_size
                older.outputs = (b"", b"")


def _first(text: str, most: int) -> str:
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


def _last(text: str, most: int) -> bytes:
    """The last `most` bytes of its UTF-8, starting at a character."""
    return text.encode("utf-8", "replace")[-most:].decode("utf-8", "ignore").encode()

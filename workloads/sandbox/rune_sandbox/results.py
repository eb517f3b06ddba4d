"""Results by request id: each is executed once, however often and by however many it is asked for."""

import json
import threading
from collections.abc import Callable

from rune_sandbox.contract import Execution


class StaleEpoch(Exception):
    """A newer agent has taken over."""


class IdReused(Exception):
    """The id stands for another request."""


class Full(Exception):
    """Everything stored belongs to the current epoch, and there is no room for more."""


class _Entry:
    def __init__(self, asked: Execution):
        self.digest = asked.digest
        self.epoch = asked.epoch
        self.size = len(asked.id)
        self.done = threading.Event()
        self.result: dict | None = None
        self.failure: Exception | None = None


class Results:
    """At most `count` results and `size` bytes; the oldest of earlier epochs make room, those of the current one never do."""

    def __init__(self, count: int, size: int):
        self._count, self._size = count, size
        self._entries: dict[str, _Entry] = {}
        self._epoch = 0
        self._stored = 0
        self._lock = threading.Lock()

    def once(self, asked: Execution, run: Callable[[], dict]) -> dict:
        """The stored result, or that of the run in flight, or `run`'s. A `run` that raises is forgotten, and raised for all who waited."""
        entry, mine = self._entry(asked)
        if mine:
            self._settle(asked.id, entry, run)
        entry.done.wait()
        if entry.failure:
            raise entry.failure
        return entry.result

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
        for identity in [each for each, entry in self._entries.items() if entry.epoch < self._epoch and entry.done.is_set()]:
            if len(self._entries) < self._count and self._stored < self._size:
                return
            self._stored -= self._entries.pop(identity).size
        if len(self._entries) >= self._count or self._stored >= self._size:
            raise Full(f"{len(self._entries)} results of epoch {self._epoch} are stored; a new sandbox is needed for more")

    def _settle(self, identity: str, entry: _Entry, run: Callable[[], dict]) -> None:
        try:
            entry.result = run()
            size = len(json.dumps(entry.result))
            with self._lock:
                entry.size += size
                self._stored += entry.size
        except Exception as failure:
            entry.failure = failure
            with self._lock:
                del self._entries[identity]
        finally:
            entry.done.set()

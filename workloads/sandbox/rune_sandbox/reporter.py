"""A locked process that isn't judged: it gets a document, reports its findings over a separate pipe, and exits."""

import os
import selectors
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rune_sandbox.lock import Lock
from rune_sandbox.pipe import Pipe
from rune_sandbox.processes import REPORT_FD, Group
from rune_sandbox.workspace import Workspace

_TICK_SECONDS = 0.05


class Reporter:
    """One process of the nursery's; it ends with `stack`. Raises OSError where it can't be started or locked."""

    def __init__(
        self,
        stack: ExitStack,
        workspace: Workspace,
        part: str,
        lock: Lock,
        document: dict[str, Any],
        report: Pipe,
        noise: Pipe,
    ):
        self.report, self.noise = report, noise
        try:
            newborn = workspace.nursery.born(part, {1: noise.writing, 2: noise.writing, REPORT_FD: report.writing})
        finally:
            os.close(report.writing)
            os.close(noise.writing)
        self.group: Group = newborn.group
        stack.callback(newborn.group.kill)
        stack.callback(newborn.close)
        newborn.lock(lock)
        newborn.await_lock()
        newborn.begin(document)

    def read_until(self, is_done: Callable[[], object], seconds: float) -> bool:
        """Read its output until the condition holds; False if it takes longer."""
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.report, selectors.EVENT_READ)
            selector.register(self.noise, selectors.EVENT_READ)
            while not is_done():
                if time.monotonic() > end:
                    return False
                for key, _ in selector.select(_TICK_SECONDS):
                    read: Any = key.fileobj
                    read.read()
                    if read.ended:
                        selector.unregister(read)
        return True

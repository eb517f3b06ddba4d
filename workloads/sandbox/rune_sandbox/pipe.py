"""Output of a process, kept up to a limit. It is still read to its end, so that the writer never blocks."""

import os
from contextlib import ExitStack

CUT = "\n[cut off]"


class Pipe:
    """The reading end of a pipe; keeps the first `limit` bytes, and records whether there were more.
    The creator closes `writing`.
    """

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
        """What is still in the pipe, once all writers have closed it."""
        while not self.overflowed and self.read():
            pass

    def text(self, most: int | None = None) -> str:
        """At most `most` bytes of it as text, with a mark where there were more."""
        most = self._limit if most is None else max(0, min(most, self._limit))
        if not self.overflowed and len(self.content) <= most:
            return self.content.decode("utf-8", "replace")
        mark = CUT if most >= len(CUT) else ""
        return self.content[: most - len(mark)].decode("utf-8", "replace") + mark

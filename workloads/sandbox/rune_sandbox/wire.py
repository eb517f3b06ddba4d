"""Length-prefixed JSON frames between judge and candidate. Nothing read here is ever evaluated or unpickled."""

import json
import socket
import struct
from typing import Any

_LEAST_FRAME_BYTES = 8 << 20
_MEMORY_SHARE = 16  # a frame, its text and its values are in memory at once, on both sides


class TooLarge(Exception):
    """A frame would be larger than allowed. The sentence names both sizes."""


class Broken(Exception):
    """The peer has closed the channel, or sent something that is no frame."""


def frame_bytes(memory_bytes: int) -> int:
    """The largest frame between processes of a program that may use `memory_bytes`."""
    return max(_LEAST_FRAME_BYTES, memory_bytes // _MEMORY_SHARE)


class Channel:
    """Frames over a connected UNIX socket, each of at most `most` bytes."""

    def __init__(self, descriptor: int, most: int):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=descriptor)
        self._most = most
        self.received_bytes = 0

    def send(self, frame: dict[str, Any]) -> None:
        """Raises TooLarge, or Broken when the peer has closed the channel."""
        body = json.dumps(frame, separators=(",", ":"), check_circular=False).encode()
        if len(body) > self._most:
            raise TooLarge(f"{len(body)} bytes; at most {self._most} can cross at once")
        try:
            self._socket.sendall(struct.pack(">I", len(body)))
            self._socket.sendall(body)
        except OSError as error:
            raise Broken(f"the other side is gone: {error}") from None

    def receive(self) -> dict[str, Any]:
        """Raises Broken."""
        (length,) = struct.unpack(">I", self._exactly(4))
        if length > self._most:
            raise Broken(f"a frame of {length} bytes; at most {self._most} can cross at once")
        try:
            frame = json.loads(self._exactly(length))
            self.received_bytes += length
        except (ValueError, RecursionError) as error:
            raise Broken(f"a malformed frame: {error}") from None
        if not isinstance(frame, dict):
            raise Broken("a frame that is no object")
        return frame

    def _exactly(self, length: int) -> bytearray:
        received = bytearray()
        while len(received) < length:
            try:
                part = self._socket.recv(min(length - len(received), 1 << 20))
            except OSError as error:
                raise Broken(f"the other side is gone: {error}") from None
            if not part:
                raise Broken("the other side closed the channel")
            received += part
        return received

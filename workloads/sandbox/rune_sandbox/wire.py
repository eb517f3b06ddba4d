"""What crosses between judge and candidate: length-prefixed JSON frames that hold plain values only.

Nothing read here is ever evaluated or unpickled, so a hostile peer can send a wrong answer but never code.
"""

import json
import socket
import struct

MAX_FRAME_BYTES = 4 * 1024 * 1024
_SAFE_INTEGER = 2**53
_SEQUENCES = {"tuple": tuple, "set": set, "frozenset": frozenset}


class Unsupported(Exception):
    """The value is not plain data, so it can't cross."""


class Broken(Exception):
    """The peer is gone, or what it sent is no frame of ours."""


def encode(value):
    """JSON form of a plain value; subclasses cross as their base (a Counter as a dict). Raises Unsupported."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        number = int(value)
        return number if abs(number) <= _SAFE_INTEGER else {"int": hex(number)}
    if isinstance(value, float):
        return {"float": float.hex(float(value))}
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (bytes, bytearray)):
        return {"bytearray" if isinstance(value, bytearray) else "bytes": bytes(value).hex()}
    if isinstance(value, complex):
        return {"complex": [float.hex(value.real), float.hex(value.imag)]}
    if isinstance(value, list):
        return [encode(item) for item in list.__iter__(value)]
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in dict.items(value)]}
    for name, kind in _SEQUENCES.items():
        if isinstance(value, kind):
            return {name: [encode(item) for item in kind.__iter__(value)]}
    raise Unsupported(
        f"{type(value).__name__}: only None, bool, int, float, complex, str, bytes, list, tuple, dict, set and frozenset can cross"
    )


def decode(form):
    """The plain value that `encode` made; raises Broken on anything else."""
    try:
        return _decode(form)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise Broken(f"a malformed value: {error}") from None


def _decode(form):
    if form is None or isinstance(form, (bool, str)) or type(form) is int:
        return form
    if isinstance(form, list):
        return [_decode(item) for item in form]
    if not isinstance(form, dict) or len(form) != 1:
        raise ValueError("neither plain nor tagged")
    ((tag, body),) = form.items()
    if tag in _SEQUENCES:
        return _SEQUENCES[tag](_decode(item) for item in body)
    return _TAGGED[tag](body) if tag in _TAGGED else _unknown(tag)


def _unknown(tag):
    raise ValueError(f"unknown tag {tag!r:.40}")


_TAGGED = {
    "int": lambda body: int(body, 16),
    "float": float.fromhex,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda body: complex(float.fromhex(body[0]), float.fromhex(body[1])),
    "dict": lambda body: {_decode(key): _decode(item) for key, item in body},
}


class Channel:
    """Frames over a connected UNIX socket."""

    def __init__(self, descriptor: int):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=descriptor)

    def send(self, frame: dict) -> None:
        body = json.dumps(frame, separators=(",", ":")).encode()
        if len(body) > MAX_FRAME_BYTES:
            raise Unsupported(f"{len(body)} bytes: at most {MAX_FRAME_BYTES} can cross at once")
        try:
            self._socket.sendall(struct.pack(">I", len(body)) + body)
        except OSError as error:
            raise Broken(f"the other side is gone: {error}") from None

    def receive(self) -> dict:
        (length,) = struct.unpack(">I", self._exactly(4))
        if length > MAX_FRAME_BYTES:
            raise Broken(f"a frame of {length} bytes; at most {MAX_FRAME_BYTES} can cross at once")
        try:
            frame = json.loads(self._exactly(length))
        except (ValueError, RecursionError) as error:
            raise Broken(f"a malformed frame: {error}") from None
        if not isinstance(frame, dict):
            raise Broken("a frame that is no object")
        return frame

    def _exactly(self, length: int) -> bytes:
        received = bytearray()
        while len(received) < length:
            try:
                part = self._socket.recv(min(length - len(received), 1 << 20))
            except OSError as error:
                raise Broken(f"the other side is gone: {error}") from None
            if not part:
                raise Broken("the other side closed the channel")
            received += part
        return bytes(received)

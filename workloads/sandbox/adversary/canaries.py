"""Listeners that no program may reach. Whatever does is noted with its bytes."""

import os
import secrets
import socket
import threading
import time
from pathlib import Path
from typing import Any

_WORD_SECONDS = 0.5
_LOOK_SECONDS = 0.05


class Canaries:
    """Listening from the start to the end of the process, on one address, UNIX sockets, vsock and a FIFO below `directory`."""

    def __init__(self, directory: Path, host: str = "127.0.0.1"):
        self.events: list[tuple[str, bytes]] = []  # (which canary, what it was told)
        self.directory = directory
        directory.mkdir()
        directory.chmod(0o755)
        name = "rune-canary-" + secrets.token_hex(4)
        vsock = self._vsock()
        self.places = {
            "TCP": self._stream("tcp", socket.create_server((host, 0))).getsockname()[1],
            "UDP": self._datagram("udp", _bound(socket.AF_INET, socket.SOCK_DGRAM, (host, 0))).getsockname()[1],
            "UNIX": self._path("unix", socket.SOCK_STREAM),
            "UNIXD": self._path("unixdgram", socket.SOCK_DGRAM),
            "ABSTRACT": name,
            "VSOCK": vsock,
            "FIFO": self._fifo(),
        }
        self._stream("abstract", _listening(_bound(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + name)))
        self._datagram("abstractdgram", _bound(socket.AF_UNIX, socket.SOCK_DGRAM, "\0" + name + "-d"))

    def _stream(self, name: str, listener: socket.socket) -> socket.socket:
        threading.Thread(target=self._accept, args=(name, listener), daemon=True).start()
        return listener

    def _datagram(self, name: str, receiver: socket.socket) -> socket.socket:
        threading.Thread(target=self._receive, args=(name, receiver), daemon=True).start()
        return receiver

    def _path(self, name: str, kind: socket.SocketKind) -> str:
        path = str(self.directory / f"{name}.sock")
        bound = _bound(socket.AF_UNIX, kind, path)
        os.chmod(path, 0o777)
        if kind == socket.SOCK_STREAM:
            self._stream(name, _listening(bound))
        else:
            self._datagram(name, bound)
        return path

    def _vsock(self) -> int:
        """Its port; where this kernel has no vsock, one without a listener."""
        port = 40_000 + secrets.randbelow(20_000)
        try:
            self._stream("vsock", _listening(_bound(socket.AF_VSOCK, socket.SOCK_STREAM, (1, port))))
        except OSError:
            return port
        return port

    def _fifo(self) -> str:
        path = str(self.directory / "fifo")
        os.mkfifo(path)
        os.chmod(path, 0o777)
        threading.Thread(target=self._read, args=(os.open(path, os.O_RDWR | os.O_NONBLOCK),), daemon=True).start()
        return path

    def _accept(self, name: str, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(_WORD_SECONDS)
                try:
                    said = connection.recv(4096)
                except OSError:
                    said = b""
                self.events.append((name, said))

    def _receive(self, name: str, receiver: socket.socket) -> None:
        while True:
            self.events.append((name, receiver.recv(4096)))

    def _read(self, descriptor: int) -> None:
        while True:
            try:
                self.events.append(("fifo", os.read(descriptor, 4096)))
            except BlockingIOError:
                time.sleep(_LOOK_SECONDS)


def _bound(family: int, kind: int, address: Any) -> socket.socket:
    made = socket.socket(family, kind)
    made.bind(address)
    return made


def _listening(bound: socket.socket) -> socket.socket:
    bound.listen(64)
    return bound

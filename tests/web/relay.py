"""A TCP relay in front of a server: the network between it and a browser, with its faults."""

from __future__ import annotations

import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Self
from urllib.parse import urlsplit


class Relay:
    """Passes bytes in both directions, and can lose every connection at once.

    With a prefix it is the proxy that serves a server under a path of its own.
    """

    def __init__(self, url: str, prefix: str = "") -> None:
        parts = urlsplit(url)
        self._prefix = prefix
        self._target = (parts.hostname or "", parts.port or 80)
        self._sockets: list[socket.socket] = []
        self._up = True

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}{self._prefix}"
        self._threads = ThreadPoolExecutor(max_workers=100)
        self._threads.submit(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        # closing alone does not wake a thread that is in accept
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        self._threads.shutdown()
        for end in (self._listener, *self._sockets):
            end.close()

    def cut(self) -> None:
        """Loses every connection; new ones are taken."""
        for end in list(self._sockets):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def go_down(self) -> None:
        """Loses every connection, and new ones at once."""
        self._up = False
        self.cut()

    def come_up(self) -> None:
        """Takes connections again."""
        self._up = True

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                if not self._up:
                    client.shutdown(socket.SHUT_RDWR)
                    continue
                server = socket.create_connection(self._target)
                self._sockets.append(server)
                self._threads.submit(_pass_on, client, server, f" {self._prefix}/".encode())
                self._threads.submit(_pass_on, server, client)


def _pass_on(source: socket.socket, sink: socket.socket, root: bytes = b" /") -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data.replace(root, b" /"))
        sink.shutdown(socket.SHUT_WR)

"""A client that sends what a test says, and reads the answer as it comes."""

import json
import socket
from collections.abc import Iterator, Mapping
from email.message import Message
from http.client import HTTPConnection, HTTPResponse
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

PATIENCE = 20.0
"""Seconds that a read waits: nothing should take that long."""


class Answer:
    """An HTTP answer, its body as far as it was read.

    A context manager: leaving it hangs up. Only a stream has to be left or read; a body of known length was read.
    """

    def __init__(self, connection: HTTPConnection, response: HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self.status = response.status
        self.headers: Message = response.headers
        self.body = b""
        if response.length is not None:
            self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up, whatever is still to come."""
        self._response.close()
        self._connection.close()

    def read(self) -> bytes:
        """The whole body, to its proper end."""
        rest = []
        while data := self._response.read1():
            rest.append(data)
        self.body += b"".join(rest)
        self.close()
        return self.body

    def until(self, text: bytes, times: int = 1) -> bytes:
        """Reads on until the body holds a text so many times; gives the body so far."""
        while self.body.count(text) < times:
            data = self._response.read1()
            assert data, f"the answer ended without {text!r}: {self.body!r}"
            self.body += data
        return self.body

    def heartbeats(self, count: int) -> None:
        """Reads on until at least so many empty lines have come in a row."""
        while not self.body.endswith(b"\n" * (count + 2)):
            self.until(b"\n", self.body.count(b"\n") + 1)

    @property
    def json(self) -> Any:
        """The whole body as JSON."""
        return json.loads(self.read())


def connect(url: str, receive_buffer: int | None = None) -> socket.socket:
    """A connection to a server."""
    address = urlsplit(url)
    assert address.port is not None
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(PATIENCE)
    connection.connect((address.hostname, address.port))
    return connection


def ask(
    url: str,
    path: str = "/api/chat",
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
    receive_buffer: int | None = None,
) -> Answer:
    """Sends a request, and returns when the head of its answer is there.

    Bytes go out as they are, an iterator of bytes in chunks, anything else as JSON.
    """
    connection = HTTPConnection(urlsplit(url).netloc)
    connection.sock = connect(url, receive_buffer)
    if not isinstance(body, bytes | Iterator | None):
        body = json.dumps(body).encode()
    connection.request(method, path, body, {"content-type": "application/json", **(headers or {})})
    return Answer(connection, connection.getresponse())


def get(url: str, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """``GET``."""
    return ask(url, path, None, headers, method="GET")


def exchange(url: str, *data: bytes, half_close: bool = False) -> bytes:
    """Everything a server says to these bytes until it closes."""
    with connect(url) as connection:
        for piece in data:
            connection.sendall(piece)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        said = b""
        while more := connection.recv(65536):
            said += more
        return said

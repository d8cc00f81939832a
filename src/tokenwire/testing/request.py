"""HTTP requests out of the bytes of a connection."""

from __future__ import annotations

from dataclasses import dataclass, field

import httptools


@dataclass(slots=True)
class Request:
    """One request, complete with its body."""

    method: str = ""
    target: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    """By lower-case name; a repeated header has its values joined by a comma."""
    content: bytearray = field(default_factory=bytearray)
    version: str = ""
    keep_alive: bool = False

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition(b"?")[0].decode("latin-1")

    @property
    def query(self) -> str:
        """What follows the target's question mark."""
        return self.target.partition(b"?")[2].decode("latin-1")


class RequestReader:
    """Bytes in, requests out, however the bytes are cut."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._current = Request()
        self._complete: list[Request] = []

    def feed(self, data: bytes) -> list[Request]:
        """The requests that these bytes complete; ValueError if they are not HTTP."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise ValueError(f"not a request of plain HTTP: {error}") from error
        complete, self._complete = self._complete, []
        return complete

    def on_message_begin(self) -> None:
        self._current = Request()

    def on_url(self, target: bytes) -> None:
        self._current.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        headers, key, text = self._current.headers, name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_body(self, content: bytes) -> None:
        self._current.content += content

    def on_message_complete(self) -> None:
        request = self._current
        request.method = self._parser.get_method().decode("ascii")
        request.version = self._parser.get_http_version()
        request.keep_alive = self._parser.should_keep_alive()
        self._complete.append(request)

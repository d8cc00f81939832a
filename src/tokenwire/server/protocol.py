"""uvicorn's HTTP protocol with limits on the head of a request: its time and its size.

uvicorn waits for ever for the rest of a half-sent head, and takes in a head of any size; a client that sends either
would hold a connection, or memory, for as long as it likes. (The body's limits are :mod:`.body`'s.)
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_SECONDS = 15.0
HEAD_BYTES = 64 * 1024

_TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class HttpProtocol(HttpToolsProtocol):
    """Answers 408 when a head that has begun, or a first one that has not, takes too long; 431 when it is too large."""

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _head_begun = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        head = self._head_timer
        super().data_received(data)
        if head is not None and self._head_timer is head:  # all of it belonged to this one head, which goes on
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_begun = True
        self._expect_head()

    def on_headers_complete(self) -> None:
        # one read may have brought all of it
        parsed = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if max(parsed, self._head_bytes) > HEAD_BYTES:
            self._refuse(_TOO_LARGE)
            return
        self._expect_no_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_no_head()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_bytes = 0
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._refuse, _TIMED_OUT)

    def _expect_no_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, answer: bytes) -> None:
        self._expect_no_head()
        under_way = cast(RequestResponseCycle | None, self.cycle)  # None before the first request
        if under_way is not None and not under_way.response_complete:
            # sent ahead of its time: the answer before it goes first, and nothing more is read until then
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._refuse, answer)
            self.flow.pause_reading()
            return
        if not self.transport.is_closing():
            if self._head_begun:  # a connection that asked nothing (browsers open some in advance) is told nothing
                self.transport.write(answer)
            self.transport.close()

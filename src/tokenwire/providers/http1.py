"""A small HTTP/1.1 client on httptools: kept-open connections, pushed bodies, nothing else.

It exists for the cost of a token: about 10 to 18 us less than through aiohttp (docs/architecture.md, stack). What it
leaves out (proxies, redirects, cookies, compression) an LLM API does not need; proxies are :mod:`.proxied`'s.
"""

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import httptools

from .base import HttpCall
from .transport import USER_AGENT, Sink

_HEAD_LIMIT = 64 * 1024
_RELEASE_SECONDS = 1.0
_IDLE_SECONDS = 60.0

_Origin = tuple[str, str, int]


class Http1Transport:
    """Connections to any number of origins, at most one call on each at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, connect_seconds: float) -> None:
        self._loop = loop
        self._connect_seconds = connect_seconds
        self.closed = False
        self._idle: dict[_Origin, list[_Connection]] = {}
        self._open_connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tls: ssl.SSLContext | None = None

    def send(self, call: HttpCall, sink: Sink) -> "Http1Exchange":
        """See :class:`tokenwire.providers.transport.Transport`.

        A kept-open connection that turns out to be closed before one byte of the answer is replaced by a new one,
        once: the server closed it while the call was on its way.
        """
        url = urlsplit(call.url)
        scheme, host = url.scheme, url.hostname or ""
        origin = (scheme, host, url.port or (443 if scheme == "https" else 80))
        seconds = call.connect_seconds or self._connect_seconds
        exchange = Http1Exchange(self._loop, sink, _request_bytes(call), partial(self._connect, origin, seconds))
        idle = self._idle.get(origin)
        if idle:
            idle.pop().carry(exchange, reused=True)
        else:
            self._connect(origin, seconds, exchange)
        return exchange

    async def close(self) -> None:
        """Closes every connection that no call needs, now and when its call is over; gives up on those being made."""
        self.closed = True
        for connection in tuple(self._open_connections):
            connection.close_unless_needed()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connect(self, origin: _Origin, seconds: float, exchange: "Http1Exchange") -> None:
        task = self._loop.create_task(self._open(origin, seconds, exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        exchange.connecting = task

    async def _open(self, origin: _Origin, seconds: float, exchange: "Http1Exchange") -> None:
        scheme, host, port = origin
        idle = self._idle.setdefault(origin, [])
        try:
            async with asyncio.timeout(seconds):
                _, connection = await self._loop.create_connection(
                    lambda: _Connection(self, self._loop, idle), host, port, ssl=self._context(scheme)
                )
        except TimeoutError:
            exchange.lose(f"no connection to {host}:{port} within {seconds:g} s")
        except (OSError, UnicodeError) as error:
            exchange.lose(f"no connection to {host}:{port}: {error}")
        else:
            exchange.connecting = None
            connection.carry(exchange, reused=False)

    def add(self, connection: "_Connection") -> None:
        """A connection was made."""
        self._open_connections.add(connection)

    def remove(self, connection: "_Connection") -> None:
        """A connection is gone."""
        self._open_connections.discard(connection)

    def _context(self, scheme: str) -> ssl.SSLContext | None:
        if scheme != "https":
            return None
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


class Http1Exchange:
    """One call and its answer. See :class:`tokenwire.providers.transport.Exchange`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sink: Sink, request: bytes, connect: Callable[["Http1Exchange"], None]
    ) -> None:
        self.sink: Sink | None = sink
        self.request = request
        self.connecting: asyncio.Task[None] | None = None
        self.connection: _Connection | None = None
        self.paused = False
        self._loop = loop
        self._connect = connect

    def abort(self) -> None:
        """Closes the socket at once."""
        self.sink = None
        if self.connecting is not None:
            self.connecting.cancel()
        if self.connection is not None:
            self.connection.abort()

    def pause(self) -> None:
        """Stops reading the socket."""
        self.paused = True
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Reads on."""
        if self.paused and self.connection is not None:
            self.connection.resume()
        self.paused = False

    def release(self) -> None:
        """Lets the rest of the body pass, if it is there within a moment."""
        self.sink = None
        self.resume()
        if self.connection is not None and not self.connection.complete:
            self._loop.call_later(_RELEASE_SECONDS, self._give_up)

    def lose(self, reason: str, *, again: bool = False) -> None:
        """The connection failed; ``again`` if it may be tried once more on a new one."""
        self.connection = None
        sink = self.sink
        if sink is None:
            return
        if again:
            self._connect(self)
        else:
            self.sink = None
            sink.lost(reason)

    def _give_up(self) -> None:
        if self.connection is not None:
            self.connection.abort()


class _Connection(asyncio.Protocol):
    """A socket that carries one exchange after the other."""

    complete = False
    """Whether the answer under way has been read to its end."""

    def __init__(self, owner: Http1Transport, loop: asyncio.AbstractEventLoop, idle: "list[_Connection]") -> None:
        self._owner = owner
        self._loop = loop
        self._idle = idle
        self._exchange: Http1Exchange | None = None
        self._idle_timer: asyncio.TimerHandle | None = None

    def carry(self, exchange: Http1Exchange, *, reused: bool) -> None:
        """Sends the exchange's request and reads its answer."""
        if exchange.sink is None:
            self._rest()
            return
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._exchange = exchange
        self._reused = reused
        self._begin_answer()
        self._heard = False
        exchange.connection = self
        self._transport.write(exchange.request)
        if exchange.paused:
            self.pause()

    def abort(self) -> None:
        """Closes the socket without waiting for anything."""
        self._detach()
        self._transport.abort()

    def pause(self) -> None:
        """Reads no more for the time being."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def close_unless_needed(self) -> None:
        """Closes the socket, unless somebody waits for an answer on it."""
        if self._exchange is None or self._exchange.sink is None:
            self.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # not an isinstance check: uvloop's transports are not asyncio's
        self._transport = cast(asyncio.Transport, transport)
        self._owner.add(self)

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:  # nobody asked: not to be trusted with the next question
            self._transport.abort()
            return
        if not self._heard:
            self._heard = True
            exchange.request = b""  # not to be sent again, and not to be held for as long as the answer takes
        fault = None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            fault = f"not HTTP: {error}"
        if self._status == 0:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_LIMIT:
                fault = fault or "endless headers"
        self._push(exchange)
        if self._exchange is not exchange:  # the sink aborted it just now
            return
        if fault is not None:
            self.abort()
            exchange.lose(fault)
        elif self.complete:
            self._finish(exchange)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if self in self._idle:
            self._idle.remove(self)
        self._owner.remove(self)
        exchange = self._detach()
        if exchange is None:
            return
        if self._status and self._until_close and exc is None:
            if exchange.sink is not None:
                exchange.sink.end()
            return
        reason = f"connection lost: {exc}" if exc else "connection closed before the end"
        exchange.lose(reason, again=self._reused and not self._heard)

    # httptools callbacks

    def on_message_begin(self) -> None:
        if self.complete:
            self._keep = False  # more than was asked for: what follows is of no interest, the connection of no use
        else:
            self._headers: dict[str, str] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete:
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and not self.complete:
            self._status = status
            coding = self._headers.get("transfer-encoding", "").lower()
            framed = "content-length" in self._headers or "chunked" in coding
            self._until_close = not framed
            self._keep = framed and self._parser.should_keep_alive()
            self._told = False

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self._bodies.append(body)

    def on_message_complete(self) -> None:
        self.complete = self._status != 0

    def _begin_answer(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._bodies: list[bytes] = []
        self._head_bytes = 0
        self._status = 0
        self._told = True
        self.complete = False
        self._until_close = False
        self._keep = False

    def _push(self, exchange: Http1Exchange) -> None:
        if not self._told and exchange.sink is not None:
            self._told = True
            exchange.sink.head(self._status, self._headers)
        bodies = self._bodies
        if bodies:
            data = bodies[0] if len(bodies) == 1 else b"".join(bodies)
            bodies.clear()
            if exchange.sink is not None:
                exchange.sink.body(data)

    def _finish(self, exchange: Http1Exchange) -> None:
        self._detach()
        if self._keep and not self._owner.closed and not self._transport.is_closing():
            self._rest()
        else:
            self._transport.close()
        sink, exchange.sink = exchange.sink, None
        if sink is not None:
            sink.end()

    def _rest(self) -> None:
        self._idle.append(self)
        self._idle_timer = self._loop.call_later(_IDLE_SECONDS, self.close_unless_needed)

    def _detach(self) -> Http1Exchange | None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.connection = None
        return exchange


def _request_bytes(call: HttpCall) -> bytes:
    url = urlsplit(call.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    host = url.netloc.rpartition("@")[2]
    lines = [f"{call.method} {target} HTTP/1.1", f"host: {host}", f"user-agent: {USER_AGENT}"]
    lines += [f"{name}: {value}" for name, value in call.headers.items()]
    lines.append(f"content-length: {len(call.body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + call.body

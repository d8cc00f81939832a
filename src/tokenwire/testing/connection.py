"""One TCP connection: reads requests, plays their scripts, notices when the peer goes."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, cast

from .changes import Changes
from .received import Received
from .reply import Reply
from .request import Request, RequestReader
from .script import Ending, Script, script
from .wires.base import Ask
from .wires.openai_chat import OpenAIChat

_LINGER_OF_NOTHING = struct.pack("ii", 1, 0)
_NOT_HTTP = script(OpenAIChat(), Reply(status=400), Ask(0), keep_alive=False)


class Exchange(NamedTuple):
    """A request, and how it is answered."""

    received: Received
    reply: Reply
    script: Script


class Connection(asyncio.Protocol):
    """The server's side of a connection, a member of `opened` for as long as it lasts."""

    def __init__(
        self,
        accept: Callable[[Request], Exchange],
        opened: set[Connection],
        changes: Changes,
    ) -> None:
        self._accept = accept
        self._opened = opened
        self._changes = changes
        self._reader = RequestReader()
        self._waiting: asyncio.Queue[Exchange] = asyncio.Queue()
        self._unfinished: list[Received] = []
        self._writable = asyncio.Event()
        self._writable.set()

    async def drop(self) -> None:
        """Ends the connection at once, which is no doing of the peer's."""
        self._unfinished.clear()
        self._player.cancel()
        self._transport.abort()
        await asyncio.wait([self._player])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # With no buffer of our own, writable means that the system has taken every byte.
        self._transport.set_write_buffer_limits(high=0)
        self._player = asyncio.get_running_loop().create_task(self._play_all())
        self._opened.add(self)
        self._changes.announce()

    def data_received(self, data: bytes) -> None:
        try:
            requests = self._reader.feed(data)
        except ValueError:
            self._transport.writelines(write.data for write in _NOT_HTTP.writes)
            self._transport.close()
            return
        for request in requests:
            exchange = self._accept(request)
            self._unfinished.append(exchange.received)
            self._waiting.put_nowait(exchange)
        self._changes.announce()

    def eof_received(self) -> None:
        self._peer_gone()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._opened.discard(self)
        self._peer_gone()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _peer_gone(self) -> None:
        now = asyncio.get_running_loop().time()
        for received in self._unfinished:
            received.closed = now
        self._unfinished.clear()
        self._player.cancel()
        self._changes.announce()

    async def _play_all(self) -> None:
        try:
            ending: Ending = "keep"
            while ending == "keep":
                exchange = await self._waiting.get()
                await self._play(exchange)
                ending = exchange.script.ending
            if ending == "reset":
                self._reset()
        finally:
            self._transport.close()

    async def _play(self, exchange: Exchange) -> None:
        received, reply, script = exchange
        pause = reply.first_delay
        for write, intervals in zip(script.writes, script.intervals(), strict=True):
            await self._changes.until(partial(received.may_go, write))
            # Two turns of the loop at the least: a reader in the same loop then finds each write alone.
            await asyncio.sleep(pause)
            await asyncio.sleep(reply.interval * intervals)
            self._transport.write(write.data)
            await self._writable.wait()
            received.sent = write.complete
            self._changes.announce()
            pause = reply.write_pause
        if script.ending == "stall":
            await asyncio.get_running_loop().create_future()
        self._unfinished.remove(received)
        received.finished = True
        self._changes.announce()

    def _reset(self) -> None:
        peer: socket.socket = self._transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OF_NOTHING)
        self._transport.abort()

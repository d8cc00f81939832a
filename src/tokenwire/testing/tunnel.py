"""One connection through a `ChaosProxy`, and the fault that breaks it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass

from .changes import Changes
from .fault import Cut, Ending, Fault, Refuse, Side, Stall

_LINGER_OF_NOTHING = struct.pack("ii", 1, 0)
_READ = 1 << 16


@dataclass(slots=True)
class Traffic:
    """What has passed through a proxy, and what was done to it."""

    connections: int = 0
    """Connections accepted."""
    faults: int = 0
    """Faults that happened: one whose place was never reached does not count."""
    to_client: int = 0
    """Bytes that passed from server to client."""
    to_server: int = 0
    """Bytes that passed from client to server."""


class Tunnel:
    """Passes bytes both ways until both sides have ended, or the fault ends them, or `end`."""

    def __init__(
        self, reader: StreamReader, writer: StreamWriter, fault: Fault | None, traffic: Traffic, changes: Changes
    ) -> None:
        self._reader = reader
        self._writers = [writer]
        self._fault = fault
        self._traffic = traffic
        self._changes = changes
        self._released = asyncio.Event()
        self._pumps: list[asyncio.Task[None]] = []

    async def run(self, host: str, port: int) -> None:
        """Connects to the server, and returns once neither side is open any more."""
        if isinstance(self._fault, Refuse):
            self._count_fault()
            self.end(self._fault.ending)
        else:
            await self._connect(host, port)
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def release(self) -> None:
        """Ends the stall that there is or will be."""
        self._released.set()

    def end(self, ending: Ending) -> None:
        """Ends the connection for both sides."""
        for writer in self._writers:
            _finish(writer, ending)
        for pump in self._pumps:
            pump.cancel()

    async def _connect(self, host: str, port: int) -> None:
        (client,) = self._writers
        try:
            reader, server = await asyncio.open_connection(host, port)
        except OSError:
            self.end("reset")
            return
        self._writers.append(server)
        if client.is_closing():
            return
        self._pumps = [
            asyncio.create_task(self._pump(self._reader, server, "server")),
            asyncio.create_task(self._pump(reader, client, "client")),
        ]
        await asyncio.wait(self._pumps)

    async def _pump(self, source: StreamReader, sink: StreamWriter, towards: Side) -> None:
        # With no buffer of our own, drained means that the system has every byte: a reset finds none here.
        sink.transport.set_write_buffer_limits(high=0)
        fault = None
        if isinstance(self._fault, Cut | Stall) and self._fault.towards == towards:
            fault, room = self._fault, self._fault.after
        try:
            while data := await source.read(_READ):
                if fault is not None:
                    await self._pass(data[:room], sink, towards)
                    if len(data) < room:
                        room -= len(data)
                        continue
                    if not await self._survives(fault):
                        return
                    data, fault = data[room:], None
                await self._pass(data, sink, towards)
            sink.write_eof()
        except OSError:
            self.end("reset")

    async def _pass(self, data: bytes, sink: StreamWriter, towards: Side) -> None:
        if not data:
            return
        sink.write(data)
        await sink.drain()
        if towards == "client":
            self._traffic.to_client += len(data)
        else:
            self._traffic.to_server += len(data)
        self._changes.announce()

    async def _survives(self, fault: Cut | Stall) -> bool:
        """Lets a fault happen; whether the connection goes on after it."""
        self._count_fault()
        if isinstance(fault, Stall):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(fault.seconds):
                    await self._released.wait()
        if fault.ending is None:
            return True
        self.end(fault.ending)
        return False

    def _count_fault(self) -> None:
        self._traffic.faults += 1
        self._changes.announce()


def _finish(writer: StreamWriter, ending: Ending) -> None:
    if ending == "close":
        writer.close()
        return
    peer: socket.socket = writer.get_extra_info("socket")
    # a connection that its peer has ended has no socket left to set anything on
    with contextlib.suppress(OSError):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OF_NOTHING)
    writer.transport.abort()

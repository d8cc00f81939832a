"""A TCP proxy on loopback that breaks connections where the test says."""
# ruff: noqa: ASYNC109  # a test wants the failure to say what it was waiting for

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from .changes import Changes
from .fault import Ending, Fault, Plan
from .received import PATIENCE
from .tunnel import Traffic, Tunnel

if TYPE_CHECKING:
    from .threaded_chaos import ThreadedChaosProxy

_HOST = "127.0.0.1"
_BACKLOG = 1024


class ChaosProxy:
    """Stands before the server at `target`, a URL that names a port; clients are given `url` instead.

    An async context manager: it passes bytes inside the `async with`, and resets what is open at its end. They may
    be anybody's: HTTP, WebSocket, TLS, Redis. The plan says what goes wrong with which connection.
    """

    def __init__(self, target: str, plan: Plan = (), port: int = 0) -> None:
        self.traffic = Traffic()
        """What has passed so far, and what went wrong."""
        self._target = urlsplit(target)
        if self._target.hostname is None or self._target.port is None:
            raise ValueError(f"{target!r} does not name a host and a port")
        self._server_host, self._server_port = self._target.hostname, self._target.port
        self._fault_of = _by_number(plan)
        self._port = port
        self._tunnels: set[Tunnel] = set()
        self._changes = Changes()

    @staticmethod
    def in_thread(target: str, plan: Plan = (), port: int = 0) -> ThreadedChaosProxy:
        """The same for code without a loop: a context manager that serves from a thread of its own."""
        from .threaded_chaos import ThreadedChaosProxy

        return ThreadedChaosProxy(ChaosProxy(target, plan, port))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, _HOST, self._port, backlog=_BACKLOG)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._end_all("reset")
        await self._changes.until(lambda: self.open == 0)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The target's URL with this proxy's address in it."""
        user, at, _ = self._target.netloc.rpartition("@")
        return self._target._replace(netloc=f"{user}{at}{_HOST}:{self._port}").geturl()

    @property
    def open(self) -> int:
        """Connections open now."""
        return len(self._tunnels)

    def sever(self, ending: Ending = "reset") -> None:
        """Breaks every connection that is open now; each of them is a fault."""
        self.traffic.faults += self.open
        self._end_all(ending)

    def release(self) -> None:
        """Lets every connection that is open now go on past its stall."""
        for tunnel in self._tunnels:
            tunnel.release()

    async def until(self, condition: Callable[[], bool], timeout: float | None = PATIENCE) -> None:
        """Returns once a condition on this proxy holds, such as `proxy.traffic.faults == 1`."""
        await self._changes.until(condition, timeout)

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.traffic.connections += 1
        tunnel = Tunnel(reader, writer, self._fault_of(self.traffic.connections), self.traffic, self._changes)
        self._tunnels.add(tunnel)
        self._changes.announce()
        try:
            await tunnel.run(self._server_host, self._server_port)
        finally:
            self._tunnels.discard(tunnel)
            self._changes.announce()

    def _end_all(self, ending: Ending) -> None:
        for tunnel in self._tunnels:
            tunnel.end(ending)


def _by_number(plan: Plan) -> Callable[[int], Fault | None]:
    if callable(plan):
        return plan
    faults = iter(plan)
    return lambda _: next(faults, None)

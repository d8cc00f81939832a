"""A WebSocket server that does what a test says."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import WSMsgType, web

Play = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One connection, from the server's side."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.socket = socket
        self.query = dict(request.query)
        self.headers = request.headers
        self.frames: list[Any] = []
        """What the client sent."""

    async def receive(self) -> Any:
        """The client's next frame; ``None`` once it has closed."""
        message = await asyncio.wait_for(self.socket.receive(), 10)
        if message.type is not WSMsgType.TEXT:
            return None
        self.frames.append(json.loads(message.data))
        return self.frames[-1]

    async def send(self, *events: Any, offset: str | None = None, first: int = 1) -> None:
        """Sends events, numbered from ``first`` where ``offset`` names their run."""
        for number, event in enumerate(events, first):
            await self.socket.send_json({"id": f"{offset}:{number}", "chunk": event} if offset else event)

    def drop(self) -> None:
        """Goes without a word."""
        transport = self.socket._req.transport if self.socket._req is not None else None
        assert transport is not None
        transport.abort()


class SocketServer:
    """Plays one scene for each connection. An async context manager, at whose end every scene must have ended well."""

    def __init__(self, *scenes: Play) -> None:
        self.peers: list[Peer] = []
        self._scenes = list(scenes)
        self._errors: list[BaseException] = []

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/ws", self._accept)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"ws://127.0.0.1:{self._runner.addresses[0][1]}/ws"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._runner.cleanup()
        if kind is None:
            assert self._errors == []
            assert self._scenes == []

    async def _accept(self, request: web.Request) -> web.StreamResponse:
        if not self._scenes:
            return web.Response(status=503)
        scene = self._scenes.pop(0)
        socket = web.WebSocketResponse(protocols=("chat",))
        await socket.prepare(request)
        peer = Peer(socket, request)
        self.peers.append(peer)
        try:
            await scene(peer)
        except (AssertionError, TimeoutError) as error:
            self._errors.append(error)
        return socket

"""The part of uvicorn's WebSocket protocol that is ours."""

import asyncio
import socket

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from tokenwire.server.socket_protocol import SocketProtocol

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
)


@pytest.mark.anyio
async def test_a_peer_who_neither_reads_nor_answers_is_given_up() -> None:
    """Who waits for the socket to drain is told, although what was sent will never be read."""
    given_up = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "text": "x" * 100_000})
        except OSError:
            given_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = uvicorn.Config(
            app, ws=SocketProtocol, lifespan="off", log_config=None, ws_ping_interval=0.05, ws_ping_timeout=0.05
        )
        server = uvicorn.Server(settings)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname(), limit=1024)
        writer.write(HANDSHAKE)
        assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
        await given_up.wait()
        writer.transport.abort()
        server.should_exit = True
        await serving

"""How long the head of a request may take."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from tokenwire.server import protocol

pytestmark = pytest.mark.anyio

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

HALF = b"GET / HTTP/1.1\r\nhost: "
WHOLE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Streaming:
    """An application whose answers begin at once and end when the test says so."""

    def __init__(self) -> None:
        self.end = asyncio.Event()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await self.end.wait()
        await send({"type": "http.response.body", "body": b"ended"})


@pytest.fixture
async def application() -> Streaming:
    return Streaming()


@pytest.fixture
async def connect(application: Streaming, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connect]:
    """Connects to a server whose patience with a head is short."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    config = uvicorn.Config(application, http=protocol.HttpProtocol, ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol.HttpProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    writers = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return reader, writer

    yield connect
    server.close()
    application.end.set()
    await asyncio.gather(*state.tasks)
    for writer in writers:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def patience_is_over(connect: Connect) -> None:
    """Returns when a head that begins now has been given up."""
    reader, writer = await connect()
    writer.write(HALF)
    assert (await reader.read()).startswith(b"HTTP/1.1 408 ")


async def test_half_a_head_and_silence(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(HALF)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head
    assert body == b""


async def test_a_head_that_trickles_in(connect: Connect) -> None:
    """The time is for the whole head, not for each of its bytes."""
    reader, writer = await connect()
    writer.write(HALF)
    answer = asyncio.create_task(reader.read())
    while not answer.done():
        writer.write(b"x")
        await asyncio.wait([answer], timeout=0.02)
    assert (await answer).startswith(b"HTTP/1.1 408 ")


async def test_a_connection_that_says_nothing_is_closed(connect: Connect) -> None:
    reader, _ = await connect()
    await reader.read()


async def test_half_a_head_on_a_connection_that_was_kept(connect: Connect, application: Streaming) -> None:
    application.end.set()
    reader, writer = await connect()
    writer.write(WHOLE)
    await reader.readuntil(b"0\r\n\r\n")
    await patience_is_over(connect)
    writer.write(HALF)
    assert (await reader.read()).startswith(b"HTTP/1.1 408 ")


async def test_an_answer_may_take_longer_than_a_head(connect: Connect, application: Streaming) -> None:
    reader, writer = await connect()
    writer.write(WHOLE)
    await reader.readuntil(b"begun")
    await patience_is_over(connect)
    application.end.set()
    await reader.readuntil(b"ended\r\n0\r\n\r\n")


async def test_half_a_head_does_not_cut_the_answer_before_it(connect: Connect, application: Streaming) -> None:
    reader, writer = await connect()
    writer.write(WHOLE + HALF)
    await reader.readuntil(b"begun")
    await patience_is_over(connect)
    application.end.set()
    assert (await reader.readuntil(b"0\r\n\r\n")) == b"\r\n5\r\nended\r\n0\r\n\r\n"
    assert (await reader.read()).startswith(b"HTTP/1.1 408 ")


async def test_a_head_that_is_too_large(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(HALF + b"x" * protocol.HEAD_BYTES)
    assert (await reader.read()).startswith(b"HTTP/1.1 431 ")


async def test_a_whole_head_that_is_too_large(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(HALF + b"x" * protocol.HEAD_BYTES + b"\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 431 ")


async def test_a_head_that_is_too_large_behind_an_answer(connect: Connect, application: Streaming) -> None:
    reader, writer = await connect()
    writer.write(WHOLE)
    await reader.readuntil(b"begun")
    writer.write(HALF + b"x" * protocol.HEAD_BYTES)
    await patience_is_over(connect)
    application.end.set()
    assert (await reader.readuntil(b"0\r\n\r\n")) == b"\r\n5\r\nended\r\n0\r\n\r\n"
    assert b"HTTP/1.1 200 " not in await reader.read()


async def test_a_large_body_is_no_part_of_the_head_behind_it(connect: Connect, application: Streaming) -> None:
    reader, writer = await connect()
    size = protocol.HEAD_BYTES + 1
    writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (size, b"x" * size) + HALF)
    await reader.readuntil(b"begun")
    writer.write(b"x\r\n\r\n")
    application.end.set()
    await reader.readuntil(b"0\r\n\r\n")
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")

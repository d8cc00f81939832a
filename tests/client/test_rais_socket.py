"""The twin of ``useAIChat`` over WebSocket: against the real server, and one that misbehaves."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_socket

from tokenwire.client import (
    ClientError,
    ConnectionLostError,
    HttpError,
    ProtocolError,
    RaisClient,
    RunFailed,
    TruncatedStreamError,
    rais_web_socket,
)
from tokenwire.testing import Reply, ThreadedUpstream

from ..conftest import Serve
from .raw_server import Json, RawServer, stream

pytestmark = pytest.mark.anyio


def shown(client: RaisClient) -> list[str]:
    return [message.content for message in client.messages]


@asynccontextmanager
async def scripted(*frames: str | bytes | Json, code: int = 1000, stays: bool = False) -> AsyncIterator["Scripted"]:
    """A server that answers the first frame with these, and closes."""
    script = Scripted()

    async def answer(socket: ServerConnection) -> None:
        script.headers = dict(socket.request.headers) if socket.request is not None else {}
        script.asked.append(json.loads(await socket.recv()))
        for frame in frames:
            await socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)
        if stays:
            await socket.wait_closed()
        await socket.close(code)
        script.close_code = socket.close_code
        script.over.set()

    async with serve_socket(answer, "127.0.0.1", 0) as server:
        script.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield script


class Scripted:
    """What such a server saw."""

    url = ""

    def __init__(self) -> None:
        self.asked: list[Json] = []
        self.headers: dict[str, str] = {}
        self.close_code: int | None = None
        self.over = asyncio.Event()


async def test_against_the_server(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.default = Reply(text=("Hi", " there"))
    url = serve().url + "/api/chat/ws"
    tokens: list[str] = []
    async with RaisClient(url, transport="ws", on_token=tokens.append) as client:
        await client.send_message("Hello")
        await client.send_message("Again")
    assert (shown(client), client.error) == (["Hello", "Hi there", "Again", "Hi there"], None)
    assert "".join(tokens) == "Hi there" * 2
    assert [len(request.body["messages"]) for request in upstream.requests] == [1, 3]


async def test_stop_closes_the_socket_and_the_server_stops_the_model(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.say("Hi", " there", hold=True)
    stop: list[Callable[[], None]] = []
    async with RaisClient(serve().url + "/api/chat/ws", transport="ws", on_token=lambda _: stop[0]()) as client:
        stop.append(client.stop)
        sending = asyncio.create_task(client.send_message("Hello"))
        request = await asyncio.to_thread(upstream.received)
        await asyncio.to_thread(request.step)
        await sending
        assert (shown(client), client.loading, client.error) == (["Hello", "Hi"], False, None)
        await asyncio.to_thread(request.wait_closed)


async def test_one_frame_and_the_headers_browsers_do_not_send() -> None:
    async with scripted({"type": "text", "text": "Hi"}, {"type": "done"}, stays=True) as server:
        options = {"headers": {"Authorization": "Bearer k"}, "body": {"persona": "p"}}
        async with RaisClient(server.url, transport="ws", **options) as client:  # type: ignore[arg-type]
            await client.send_message("Hello")
        await asyncio.wait_for(server.over.wait(), 10)
    assert server.asked == [{"messages": [{"role": "user", "content": "Hello"}], "persona": "p"}]
    assert server.headers["authorization"] == "Bearer k"
    assert server.close_code == 1000
    assert shown(client) == ["Hello", "Hi"]


async def test_pings_are_signs_of_life() -> None:
    silence = 1.0

    async def think(socket: ServerConnection) -> None:
        await socket.recv()
        loop = asyncio.get_running_loop()
        enough = loop.time() + 1.3 * silence
        while loop.time() < enough:
            await (await socket.ping())
            await asyncio.sleep(silence / 20)
        await socket.send(json.dumps({"type": "text", "text": "Hi"}))
        await socket.send(json.dumps({"type": "done"}))
        await socket.wait_closed()

    async with serve_socket(think, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        adapter = rais_web_socket(url, {"limits": {"silence": silence}})
        kinds = [chunk["type"] async for chunk in adapter.connect([{"role": "user", "content": "Hello"}])]
    assert kinds == ["TEXT_MESSAGE_CONTENT", "RUN_FINISHED"]


async def test_silence_is_a_lost_connection() -> None:
    async with scripted({"type": "text", "text": "Hi"}, stays=True) as server:
        adapter = rais_web_socket(server.url, {"limits": {"silence": 0.2}})
        with pytest.raises(ConnectionLostError):
            async for _ in adapter.connect([{"role": "user", "content": "Hello"}]):
                pass


@pytest.mark.parametrize(
    ("frames", "code", "kind"),
    [
        ([{"type": "text", "text": "Hi"}, {"type": "error", "error": "No."}], 1000, RunFailed),
        ([{"type": "text", "text": "Hi"}], 1000, TruncatedStreamError),
        ([{"type": "text", "text": "Hi"}], 1011, TruncatedStreamError),
        ([{"type": "text", "text": "Hi"}, "null"], 1000, ProtocolError),
        ([{"type": "text", "text": "Hi"}, "{"], 1000, ProtocolError),
        ([{"type": "text", "text": "Hi"}, b"\0"], 1000, ProtocolError),
    ],
)
async def test_what_goes_wrong_is_told(frames: list[str | bytes | Json], code: int, kind: type[ClientError]) -> None:
    errors: list[ClientError] = []
    async with scripted(*frames, code=code) as server:
        client = RaisClient(server.url, transport="ws", on_error=errors.append)
        await client.send_message("Hello")
    assert [type(error) for error in errors] == [kind]
    assert client.error == str(errors[0])
    assert shown(client) == ["Hello", "Hi"]


async def test_a_server_without_sockets_and_none_at_all() -> None:
    errors: list[ClientError] = []
    async with RawServer([stream(b"no")]) as server:
        client = RaisClient(server.url, transport="ws", on_error=errors.append)
        await client.send_message("Hello")
    await client.send_message("Hello")
    assert [type(error) for error in errors] == [HttpError, ConnectionLostError]

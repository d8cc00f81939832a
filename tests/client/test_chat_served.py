"""The chat over its own adapters against a real tokenwire."""

import asyncio
from contextlib import aclosing

import pytest

from tokenwire.client import (
    ChatClient,
    ConnectionAdapter,
    HttpError,
    fetch_http_stream,
    fetch_server_sent_events,
    web_socket,
)
from tokenwire.client.messages import Dialect
from tokenwire.testing import Reply, ThreadedUpstream

from ..conftest import Serve
from .scripted import shows

pytestmark = pytest.mark.anyio

wires = pytest.mark.parametrize(
    ("dialect", "framing"),
    [("new", "sse"), ("new", "ndjson"), ("new", "websocket"), ("legacy", "sse"), ("legacy", "ndjson")],
)


def adapter(url: str, framing: str) -> ConnectionAdapter:
    if framing == "websocket":
        return web_socket(url.replace("http", "ws", 1).rstrip("/") + "/api/chat/ws")
    if framing == "ndjson":
        return fetch_http_stream(url.rstrip("/") + "/api/chat/ndjson")
    return fetch_server_sent_events(url.rstrip("/") + "/api/chat")


@wires
async def test_two_turns_and_another_try(
    dialect: Dialect, framing: str, serve: Serve, upstream: ThreadedUpstream
) -> None:
    upstream.default = Reply(reasoning=("hm",), text=("Hel", "lo"))
    async with ChatClient(adapter(serve().url, framing), dialect=dialect) as client:
        await client.send_message("one")
        await client.send_message("two")
        await client.reload()
        assert [message.text for message in client.messages] == ["one", "Hello", "two", "Hello"]
        assert [part.type for part in client.messages[1].parts] == ["thinking", "text"]
        assert (client.status, client.error) == ("ready", None)


@wires
async def test_stop_then_the_next_turn(
    dialect: Dialect, framing: str, serve: Serve, upstream: ThreadedUpstream
) -> None:
    upstream.default = Reply(text=("Hel", "lo"), hold=True)
    async with ChatClient(adapter(serve().url, framing), dialect=dialect) as client:
        turn = asyncio.create_task(client.send_message("one"))
        asked = await asyncio.to_thread(upstream.received)
        await asyncio.to_thread(asked.step)
        await shows(client, "Hel")
        client.stop()
        await turn
        upstream.default = Reply(text=("Again",))
        await client.send_message("two")
        assert [message.text for message in client.messages] == ["one", "Hel", "two", "Again"]
        assert client.error is None


@pytest.mark.parametrize("framing", ["sse", "ndjson", "websocket"])
async def test_a_detached_run_goes_on_and_is_found_again(
    framing: str, serve: Serve, upstream: ThreadedUpstream
) -> None:
    upstream.default = Reply(text=("Hel", "lo"), hold=True)
    async with ChatClient(adapter(serve().url, framing)) as client:
        turn = asyncio.create_task(client.send_message("one"))
        asked = await asyncio.to_thread(upstream.received)
        await asyncio.to_thread(asked.step)
        await shows(client, "Hel")
        client.detach()
        await turn
        assert (client.status, client.current_run_id, client.error) == ("ready", None, None)
        await asyncio.to_thread(asked.release)
        await client.attach()
        await shows(client, "Hello")
        upstream.default = Reply(text=("Again",))
        await until_ready(client)
        await client.send_message("two")
        assert [message.text for message in client.messages] == ["one", "Hello", "two", "Again"]
        assert len(upstream.requests) == 2


async def until_ready(client: ChatClient) -> None:
    """Waits until nothing is under way."""
    async with aclosing(client.snapshots()) as snapshots:
        async for snapshot in snapshots:
            if not snapshot.is_loading:
                return


async def test_a_refusal_is_an_http_error(serve: Serve) -> None:
    async with ChatClient(fetch_server_sent_events(serve().url.rstrip("/") + "/nowhere")) as client:
        await client.send_message("hi")
        assert isinstance(client.error, HttpError)
        assert (client.error.status, client.status) == (404, "error")


async def test_attach_to_a_run_that_another_client_began(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.default = Reply(text=("Hel", "lo"), hold=True)
    url = serve().url
    async with ChatClient(adapter(url, "sse")) as first, ChatClient(adapter(url, "ndjson")) as second:
        turn = asyncio.create_task(first.send_message("hi"))
        asked = await asyncio.to_thread(upstream.received)
        await asyncio.to_thread(asked.step)
        await shows(first, "Hel")
        await second.attach(first.current_run_id)
        await shows(second, "Hel")
        await asyncio.to_thread(asked.release)
        await turn
        await shows(second, "Hello")
        assert first.messages[-1].text == "Hello"

"""Server-sent events as the adapter reads them, and the request it makes for them."""

import asyncio
from typing import Any

import pytest

from tokenwire.client import (
    AbortController,
    ConnectionLostError,
    ProtocolError,
    RunContext,
    TruncatedStreamError,
    fetch_server_sent_events,
)

from .raw_server import FINISHED, HELLO, Answer, RawServer, head, sse, stream, text
from .reading import QUESTION, RUN, collect, read, said

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(sse(*HELLO), id="plain"),
        pytest.param(sse(*HELLO).replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(sse(*HELLO).replace(b"data: ", b"data:"), id="no space"),
        pytest.param(sse(*HELLO).replace(b"data: ", b""), id="bare lines"),
        pytest.param(sse(*HELLO).replace(b"\n\n", b"\n"), id="no empty lines"),
        pytest.param(sse(*HELLO).replace(b"data: ", b": ping\nevent: x\nretry: 1\ndata: "), id="comments and fields"),
        pytest.param(sse(*HELLO).replace(b'{"type"', b'{\ndata: "type"'), id="several data lines"),
        pytest.param(b"\xef\xbb\xbf" + sse(*HELLO), id="byte order mark"),
        pytest.param(b"\n\n\n" + sse(*HELLO) + b"\n", id="heartbeats"),
        pytest.param(sse(*HELLO).rstrip(b"\n"), id="no line feed at the end"),
        pytest.param(sse(*HELLO) + b"data: [DONE]\n\n", id="a sentinel after the end"),
    ],
)
async def test_every_spelling_gives_the_same_events_wherever_it_is_cut(body: bytes) -> None:
    async with RawServer([stream(body), stream(*(body[i : i + 1] for i in range(len(body))))]) as server:
        adapter = fetch_server_sent_events(server.url)
        assert await read(adapter) == HELLO
        assert await read(adapter) == HELLO


async def test_a_sentinel_is_the_end_where_there_is_none() -> None:
    body = sse(*HELLO[:-1]) + b"data: [DONE]\n\n" + sse(text("never"))
    async with RawServer([stream(body, ending="hang")]) as server:
        *chunks, last = await read(fetch_server_sent_events(server.url))
        await server.hung_up()
    assert chunks == HELLO[:-1]
    assert {**last, "timestamp": 0} == {**FINISHED, "timestamp": 0}


async def test_an_offset_names_one_event_only() -> None:
    first, *others = HELLO
    async with RawServer([stream(sse(first, offset="run") + sse(*others))]) as server:
        assert await read(fetch_server_sent_events(server.url)) == HELLO


async def test_the_body_is_read_past_a_terminal_event() -> None:
    turns = [*HELLO[:-1], {**FINISHED, "finishReason": "tool_calls"}, *HELLO]
    async with RawServer([stream(sse(*turns))]) as server:
        assert await read(fetch_server_sent_events(server.url)) == turns


@pytest.mark.parametrize("cut", [0, 10, len(sse(*HELLO[:3])), len(sse(*HELLO)) - 20])
async def test_a_stream_without_an_end_is_an_error(cut: int) -> None:
    async with RawServer([stream(sse(*HELLO)[:cut])]) as server:
        with pytest.raises(TruncatedStreamError):
            await read(fetch_server_sent_events(server.url))


async def test_a_reset_is_an_error() -> None:
    async with RawServer([stream(sse(*HELLO[:-1]), ending="reset")]) as server:
        with pytest.raises((TruncatedStreamError, ConnectionLostError)):
            await read(fetch_server_sent_events(server.url))


async def test_an_event_that_is_no_json_comes_after_those_before_it() -> None:
    seen: list[Any] = []
    async with RawServer([stream(sse(text("Hel")) + b"data: {oops\n\n" + sse(text("lo")))]) as server:
        with pytest.raises(ProtocolError, match="oops"):
            await read(fetch_server_sent_events(server.url), into=seen)
    assert said(seen) == "Hel"


async def test_the_request_of_the_new_dialect() -> None:
    async with RawServer([stream(sse(*HELLO))]) as server:
        options = {"headers": {"Authorization": "Bearer k", "x-run-id": "mine"}, "body": {"model": "a", "top": 1}}
        adapter = fetch_server_sent_events(server.url, options)
        run = RunContext(thread_id="t1", run_id="r1", forwarded_props={"model": "b"}, headers={"X-Byok-Openai": "s"})
        await collect(adapter.connect(QUESTION, {"model": "c"}, None, run))
    (asked,) = server.requests
    assert (asked.method, asked.target) == ("POST", "/chat")
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["authorization"] == "Bearer k"
    assert asked.headers["x-byok-openai"] == "s"
    assert asked.headers["x-run-id"] == "r1"
    assert asked.headers["accept"] == "*/*"
    assert "last-event-id" not in asked.headers
    body = asked.json
    assert list(body) == ["threadId", "runId", "state", "messages", "tools", "context", "forwardedProps", "data"]
    assert (body["threadId"], body["runId"]) == ("t1", "r1")
    assert body["forwardedProps"] == body["data"] == {"model": "c", "top": 1}
    assert body["messages"][0]["content"] == "Hello"


async def test_the_request_of_the_legacy_dialect() -> None:
    async with RawServer([stream(sse(*HELLO))]) as server:
        adapter = fetch_server_sent_events(server.url, {"body": {"provider": "p"}})
        await collect(adapter.connect(QUESTION, {"model": "c"}, None, RunContext(dialect="legacy")))
    (asked,) = server.requests
    assert "x-run-id" not in asked.headers
    assert list(asked.json) == ["messages", "data", "provider"]
    assert asked.json["messages"][0]["parts"] == [{"type": "text", "content": "Hello"}]


async def test_without_a_context_a_run_is_made_up_for_each_request() -> None:
    async with RawServer([stream(sse(*HELLO)), stream(sse(*HELLO))]) as server:
        adapter = fetch_server_sent_events(server.url)
        for _ in range(2):
            assert await collect(adapter.connect(QUESTION)) == HELLO
    ids = {asked.headers["x-run-id"] for asked in server.requests}
    assert ids == {asked.json["runId"] for asked in server.requests}
    assert len(ids) == 2


async def test_aborting_ends_the_events_and_closes_the_connection() -> None:
    controller = AbortController()
    async with RawServer([stream(sse(text("Hel")), ending="hang")]) as server:
        seen = []
        async for chunk in fetch_server_sent_events(server.url).connect(QUESTION, None, controller.signal, RUN):
            seen.append(chunk)
            asyncio.get_running_loop().call_soon(controller.abort)
        await server.hung_up()
    assert said(seen) == "Hel"


async def test_aborting_before_the_head_of_the_answer() -> None:
    controller = AbortController()
    async with RawServer([Answer([], "hang")]) as server:
        reading = asyncio.create_task(read(fetch_server_sent_events(server.url), controller.signal))
        await server.asked()
        controller.abort()
        assert await reading == []
        await server.hung_up()


async def test_an_aborted_signal_asks_nothing() -> None:
    controller = AbortController()
    controller.abort()
    async with RawServer() as server:
        assert await read(fetch_server_sent_events(server.url), controller.signal) == []
        assert await read(fetch_server_sent_events(server.url, {"signal": controller.signal})) == []
    assert server.requests == []


async def test_cancelling_closes_the_connection() -> None:
    async with RawServer([stream(sse(text("Hel")), ending="hang")]) as server:
        reading = asyncio.create_task(read(fetch_server_sent_events(server.url)))
        await server.asked()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await server.hung_up()


async def test_closing_the_events_closes_the_connection() -> None:
    async with RawServer([stream(sse(text("Hel")), ending="hang")]) as server:
        chunks = fetch_server_sent_events(server.url).connect(QUESTION)
        assert await anext(chunks) == text("Hel")
        await chunks.aclose()
        await server.hung_up()


async def test_a_body_in_chunks_that_breaks_off() -> None:
    body = sse(text("Hel"))
    pieces = [head(transfer_encoding="chunked"), b"%x\r\n%b\r\n" % (len(body), body)]
    async with RawServer([Answer(pieces)]) as server:
        seen: list[Any] = []
        with pytest.raises(TruncatedStreamError):
            await read(fetch_server_sent_events(server.url), into=seen)
    assert said(seen) == "Hel"

"""Going on after a lost connection, against a server that says exactly what a test wants."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tokenwire.client import (
    AbortController,
    Chunk,
    ConnectionLostError,
    DurableStreamIncompleteError,
    HttpError,
    ProtocolError,
    StreamReconnectLimitError,
    fetch_http_stream,
    fetch_server_sent_events,
)

from .raw_server import FINISHED, HELLO, Answer, RawServer, head, ndjson, sse, stream, text
from .reading import AT_ONCE, Seen, collect, read, said

pytestmark = pytest.mark.anyio

FRAMINGS = [(fetch_server_sent_events, sse), (fetch_http_stream, ndjson)]
framings = pytest.mark.parametrize(("adapter_for", "frames"), FRAMINGS, ids=["sse", "ndjson"])
ADAPTER = {"reconnect": AT_ONCE}


def truncated(frames: Callable[..., bytes], count: int) -> Answer:
    """The first events, and a piece of the next one."""
    return stream(frames(*HELLO[: count + 1], offset="run")[: len(frames(*HELLO[:count], offset="run")) + 20])


@framings
@pytest.mark.parametrize("count", range(1, len(HELLO)))
async def test_a_cut_after_each_event_is_healed_by_the_same_request(adapter_for: Any, frames: Any, count: int) -> None:
    rest = stream(frames(*HELLO[count:], offset="run", first=count + 1))
    headers = {"Authorization": "Bearer k"}
    for lost in (stream(frames(*HELLO[:count], offset="run")), truncated(frames, count)):
        async with RawServer([lost, rest]) as server:
            assert await read(adapter_for(server.url, {**ADAPTER, "headers": headers})) == HELLO
        first, second = server.requests
        assert "last-event-id" not in first.headers
        assert second.headers == {**first.headers, "last-event-id": f"run:{count}"}
        assert (second.method, second.target, second.body) == (first.method, first.target, first.body)


@framings
async def test_what_comes_twice_is_shown_once(adapter_for: Any, frames: Any) -> None:
    answers = [stream(frames(*HELLO[:4], offset="run")), stream(frames(*HELLO, offset="run"))]
    async with RawServer(answers) as server:
        assert await read(adapter_for(server.url, ADAPTER)) == HELLO


async def test_a_connection_that_breaks_after_each_event_is_no_failure() -> None:
    answers = [stream(sse(event, offset="run", first=number)) for number, event in enumerate(HELLO, 1)]
    async with RawServer(answers) as server:
        assert await read(fetch_server_sent_events(server.url, {"reconnect": {"max_attempts": 0, "delay": 0}})) == HELLO


async def test_only_so_many_reconnects_in_a_row_may_bring_nothing_new() -> None:
    some, nothing = sse(*HELLO[:2], offset="run"), Answer([], "close")
    more = sse(text("!"), offset="run", first=3)
    answers = [stream(some), *[nothing] * 3, stream(some + more), *[nothing] * 4]
    async with RawServer(answers) as server:
        seen: list[Chunk] = []
        with pytest.raises(StreamReconnectLimitError, match="3 reconnects"):
            await read(fetch_server_sent_events(server.url, {"reconnect": {"max_attempts": 3, "delay": 0}}), into=seen)
    assert seen == [*HELLO[:2], text("!")]
    assert server.answers == [nothing] * 0
    assert [asked.headers.get("last-event-id") for asked in server.requests] == [None, *["run:2"] * 4, *["run:3"] * 4]


@pytest.mark.parametrize("status", ["404 Not Found", "503 Service Unavailable", "204 No Content", "302 Found"])
async def test_a_refused_reconnect_is_final(status: str) -> None:
    async with RawServer([stream(sse(*HELLO[:2], offset="run")), Answer([head(status)])]) as server:
        with pytest.raises(HttpError) as caught:
            await read(fetch_server_sent_events(server.url, ADAPTER))
    assert caught.value.status == int(status[:3])
    assert str(caught.value) == f"HTTP error! status: {status}"


async def test_an_empty_reconnect_is_an_incomplete_run() -> None:
    async with RawServer([stream(sse(*HELLO[:2], offset="run")), stream(b": nothing\n\n")]) as server:
        with pytest.raises(DurableStreamIncompleteError):
            await read(fetch_server_sent_events(server.url, ADAPTER))


async def test_garbage_is_not_asked_for_again() -> None:
    async with RawServer([stream(sse(*HELLO[:2], offset="run") + b"data: oops\n\n")]) as server:
        with pytest.raises(ProtocolError):
            await read(fetch_server_sent_events(server.url, ADAPTER))


async def test_after_the_end_a_broken_connection_does_not_matter() -> None:
    async with RawServer([stream(sse(*HELLO, offset="run") + b"data: {")]) as server:
        assert await read(fetch_server_sent_events(server.url, ADAPTER)) == HELLO
    assert len(server.requests) == 1


TOOLS = {**FINISHED, "finishReason": "tool_calls"}
TURN = [*HELLO[:-1], TOOLS]


async def test_the_end_of_a_turn_is_not_yet_the_end_of_the_run() -> None:
    rest = sse(*HELLO, offset="run", first=len(TURN) + 1)
    async with RawServer([stream(sse(*TURN, offset="run") + b"data: {"), stream(rest)]) as server:
        assert await read(fetch_server_sent_events(server.url, ADAPTER)) == [*TURN, *HELLO]


@pytest.mark.parametrize(
    "again",
    [
        pytest.param([stream(sse(TOOLS))], id="the end once more"),
        pytest.param([stream(b"")], id="nothing"),
        pytest.param([Answer([head("404 Not Found")])], id="unknown by now"),
        pytest.param([Answer([])] * 6, id="no server"),
    ],
)
async def test_the_end_of_a_turn_may_be_the_end_of_the_run(again: list[Answer]) -> None:
    async with RawServer([stream(sse(*TURN, offset="run") + b"data: {"), *again]) as server:
        assert await read(fetch_server_sent_events(server.url, ADAPTER)) == TURN
    assert server.answers == []


@pytest.mark.parametrize("offset", ["a\\nb", "a\\u0000b", "\\u001b[2J"])
async def test_an_offset_that_cannot_be_sent_back_is_an_error(offset: str) -> None:
    body = b'{"id":"%b","chunk":{"type":"RUN_STARTED"}}\n' % offset.encode()
    async with RawServer([stream(body)]) as server:
        with pytest.raises(ProtocolError):
            await read(fetch_http_stream(server.url, ADAPTER))


async def test_an_empty_offset_forgets_the_place() -> None:
    forget = b"id:\n" + sse(text("x"))
    async with RawServer([stream(sse(*HELLO[:2], offset="run") + forget)]) as server:
        with pytest.raises(Exception, match="broke off"):
            await read(fetch_server_sent_events(server.url, ADAPTER))
    assert len(server.requests) == 1


async def test_a_server_that_was_never_there_is_not_asked_again() -> None:
    async with RawServer() as server:
        url = server.url
    with pytest.raises(ConnectionLostError):
        await read(fetch_server_sent_events(url, ADAPTER))


async def test_url_and_options_are_asked_for_once_a_run() -> None:
    calls: list[str] = []

    async def options() -> dict[str, Any]:
        calls.append("options")
        return {**ADAPTER, "headers": {"X-Call": str(len(calls))}}

    def url() -> str:
        calls.append("url")
        return server.url

    lost, rest = stream(sse(*HELLO[:2], offset="run")), stream(sse(*HELLO[2:], offset="run", first=3))
    async with RawServer([lost, rest, stream(sse(*HELLO))]) as server:
        adapter = fetch_server_sent_events(url, options)
        assert await read(adapter) == HELLO
        assert await collect(adapter.join_run("run-1")) == HELLO
    assert calls == ["url", "options"] * 2
    assert [asked.headers["x-call"] for asked in server.requests] == ["2", "2", "4"]


async def test_a_join_goes_on_with_both_offsets() -> None:
    lost, rest = stream(sse(*HELLO[:2], offset="run")), stream(sse(*HELLO[2:], offset="run", first=3))
    async with RawServer([lost, rest]) as server:
        adapter = fetch_server_sent_events(f"{server.url}?region=eu&offset=9", ADAPTER)
        assert await collect(adapter.join_run("run 1")) == HELLO
    first, second = server.requests
    assert (first.method, first.target) == ("GET", "/chat?region=eu&offset=-1&runId=run+1")
    assert (second.method, second.target) == (first.method, first.target)
    assert (first.headers.get("last-event-id"), second.headers["last-event-id"]) == (None, "run:2")
    assert "content-type" not in first.headers
    assert "x-run-id" not in first.headers


async def test_aborting_ends_the_wait_for_a_reconnect() -> None:
    controller = AbortController()
    async with RawServer([stream(sse(*HELLO[:2], offset="run"))]) as server:
        adapter = fetch_server_sent_events(server.url, {"reconnect": {"delay": 3600}})
        seen = Seen()
        reading = asyncio.create_task(read(adapter, controller.signal, seen))
        await seen.until(lambda: len(seen) == 2)
        controller.abort()
        assert await asyncio.wait_for(reading, 10) == HELLO[:2]


async def test_what_is_seen_before_an_error_stays_seen() -> None:
    seen: list[Chunk] = []
    async with RawServer([stream(sse(*HELLO[:3], offset="run")), Answer([head("410 Gone")])]) as server:
        with pytest.raises(HttpError):
            await read(fetch_server_sent_events(server.url, ADAPTER), into=seen)
    assert said(seen) == "Hel"

"""Asking again where events have no offsets: never a text twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tokenwire.client import (
    AbortController,
    Chunk,
    ConnectionLostError,
    HttpError,
    ProtocolError,
    TruncatedStreamError,
    fetch_server_sent_events,
    retrying,
    stream,
)

from .raw_server import BEGIN, HELLO, STARTED, Answer, RawServer, head, sse, text
from .raw_server import stream as streamed
from .reading import read, said

pytestmark = pytest.mark.anyio

Attempt = list[Chunk | Exception]


def attempts(*each: Attempt) -> tuple[Any, list[Any]]:
    """An adapter whose runs give these events and raise these errors, and the runs it was asked for."""
    asked: list[Any] = []
    rest: Iterator[Attempt] = iter(each)

    async def answer(*_: Any) -> AsyncIterator[Chunk]:
        for chunk in next(rest):
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    class Adapter:
        def connect(self, *arguments: Any) -> Any:
            asked.append(arguments[-1].run_id)
            return answer()

    return Adapter(), asked


LOST = ConnectionLostError("gone")


@pytest.mark.parametrize(
    "failed",
    [
        pytest.param([LOST], id="no connection"),
        pytest.param([STARTED, BEGIN, LOST], id="lost before the text"),
        pytest.param([STARTED, BEGIN], id="ended before the text"),
        pytest.param([], id="empty"),
        pytest.param([HttpError(503)], id="busy"),
    ],
)
async def test_an_answer_of_which_nothing_was_shown_is_asked_for_again(failed: Attempt) -> None:
    adapter, asked = attempts(failed, failed, list(HELLO))
    assert await read(retrying(adapter, delay=0)) == HELLO
    assert asked == ["run-1"] * 3


@pytest.mark.parametrize("failed", [[STARTED, BEGIN, text("Hel"), LOST], [text("Hel")]])
async def test_an_answer_of_which_something_was_shown_is_not(failed: Attempt) -> None:
    adapter, asked = attempts(failed, list(HELLO))
    seen: list[Chunk] = []
    with pytest.raises((ConnectionLostError, TruncatedStreamError)):
        await read(retrying(adapter, delay=0), into=seen)
    assert said(seen) == "Hel"
    assert len(asked) == 1


@pytest.mark.parametrize(
    "error", [HttpError(401), HttpError(503, retry_after=31), ProtocolError("no"), KeyError("mine")]
)
async def test_what_will_not_change_is_not_asked_again(error: Exception) -> None:
    adapter, asked = attempts([error])
    with pytest.raises(type(error)):
        await read(retrying(adapter, delay=0))
    assert len(asked) == 1


async def test_the_last_error_is_raised() -> None:
    adapter, asked = attempts([LOST], [LOST], [HttpError(503)])
    with pytest.raises(HttpError):
        await read(retrying(adapter, delay=0))
    assert len(asked) == 3


async def test_the_waits_double_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    adapter, _ = attempts([LOST], [LOST], [LOST], [HttpError(429, retry_after=9.0)], [HttpError(500)], list(HELLO))
    monkeypatch.setattr("tokenwire.client.retry.asyncio.sleep", note)
    assert await read(retrying(adapter, max_attempts=6, delay=1, max_delay=10)) == HELLO
    assert waits == [1, 2, 4, 9, 10]


async def test_aborting_ends_the_wait() -> None:
    controller = AbortController()
    asked = asyncio.Event()

    async def answer(*_: Any) -> AsyncIterator[Chunk]:
        asked.set()
        raise LOST
        yield

    reading = asyncio.create_task(read(retrying(stream(answer), delay=3600), controller.signal))
    await asked.wait()
    await asyncio.sleep(0)
    controller.abort()
    assert await asyncio.wait_for(reading, 10) == []


async def test_an_aborted_answer_is_no_failure() -> None:
    controller = AbortController()

    async def answer(*_: Any) -> AsyncIterator[Chunk]:
        yield text("Hel")
        controller.abort()
        await asyncio.Event().wait()

    assert await read(retrying(stream(answer)), controller.signal) == [text("Hel")]


async def test_over_the_network() -> None:
    busy = Answer([head("503 Service Unavailable", retry_after="0")])
    async with RawServer([busy, streamed(b""), streamed(sse(*HELLO))]) as server:
        assert await read(retrying(fetch_server_sent_events(server.url), delay=0)) == HELLO
    assert len(server.requests) == 3


def test_there_is_one_attempt() -> None:
    with pytest.raises(ValueError, match="at least one"):
        retrying(attempts()[0], max_attempts=0)

"""Adapters of either kind, as the chat uses them (docs/wires/tanstack.md 7.3)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tokenwire.client import AbortController, AbortSignal, Chunk, RunContext, normalize, rpc_stream, stream
from tokenwire.client.connection import chunk_failure, chunk_run_id

from .raw_server import FINISHED, HELLO, STARTED, text
from .reading import QUESTION, RUN, collect

pytestmark = pytest.mark.anyio


class Connecting:
    def connect(self) -> None: ...


class Subscribing:
    def subscribe(self) -> None: ...


class Sending:
    def send(self) -> None: ...


BOTH = "Connection adapter must provide either connect or both subscribe and send, not both modes"
HALF = "Connection adapter must provide either connect or both subscribe and send"


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ((Connecting, Subscribing, Sending), BOTH),
        ((Connecting, Subscribing), BOTH),
        ((Connecting, Sending), BOTH),
        ((Subscribing,), HALF),
        ((Sending,), HALF),
        ((), HALF),
    ],
)
def test_half_an_adapter_and_both_at_once(kinds: tuple[type, ...], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        normalize(type("Adapter", kinds, {})())


def test_no_adapter() -> None:
    with pytest.raises(ValueError, match=r"^Connection adapter is required$"):
        normalize(None)


def saying(*chunks: Chunk | Exception) -> Any:
    """An adapter that gives these events, and raises this error."""

    async def answer(messages: Any, data: Any) -> AsyncIterator[Chunk]:
        assert (messages, data) == (QUESTION, {"a": 1})
        for chunk in chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    return normalize(stream(answer))


async def turn(connection: Any, run: RunContext = RUN) -> list[Chunk]:
    """What a subscriber sees of one send."""
    signal = AbortController()
    seen: list[Chunk] = []
    reading = asyncio.create_task(collect(connection.subscribe(signal.signal), seen))
    await asyncio.sleep(0)
    try:
        await connection.send(QUESTION, {"a": 1}, None, run)
    finally:
        await asyncio.sleep(0)
        signal.abort()
        await reading
    return seen


async def test_events_come_through_with_the_run_they_answer() -> None:
    seen = await turn(saying(*HELLO))
    assert seen == HELLO
    assert {chunk_run_id(chunk) for chunk in seen} == {"run-1"}
    assert (chunk_run_id(FINISHED), chunk_run_id(text("x"))) == ("r", None)


async def test_a_stream_without_an_end_gets_one() -> None:
    *chunks, last = await turn(saying(STARTED, text("x")))
    assert chunks == [STARTED, text("x")]
    said = {"tanstack": {"finishReason": "stop", "model": "connect-wrapper"}}
    assert last == {**last, "type": "RUN_FINISHED", "threadId": "t", "runId": "r", "metadata": said}
    (own,) = await turn(saying())
    assert (own["threadId"], own["runId"]) == ("thread-1", "run-1")


async def test_a_stream_without_an_end_in_the_legacy_dialect() -> None:
    (last,) = await turn(saying(), RunContext(dialect="legacy"))
    assert (last["finishReason"], last["model"]) == ("stop", "connect-wrapper")
    assert last["runId"].startswith("run-")
    assert "threadId" not in last


async def test_a_failure_is_told_and_raised() -> None:
    for run, field in ((RUN, {"message": "no"}), (RunContext(dialect="legacy"), {"error": {"message": "no"}})):
        controller = AbortController()
        connection = saying(text("x"), OSError("no"))
        chunks = connection.subscribe(controller.signal)
        with pytest.raises(OSError, match="no"):
            await connection.send(QUESTION, {"a": 1}, None, run)
        assert await anext(chunks) == text("x")
        told = await anext(chunks)
        assert told == {**told, "type": "RUN_ERROR", **field}
        await chunks.aclose()


async def test_a_failure_waits_for_the_subscriber_and_its_event_knows_the_error() -> None:
    failure = OSError("no")
    connection, seen = saying(STARTED, text("x"), failure), []
    controller = AbortController()

    async def slowly() -> None:
        async for chunk in connection.subscribe(controller.signal):
            await asyncio.sleep(0)
            seen.append(chunk)

    reading = asyncio.create_task(slowly())
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="no"):
        await connection.send(QUESTION, {"a": 1}, None, RUN)
    assert [chunk["type"] for chunk in seen] == ["RUN_STARTED", "TEXT_MESSAGE_CONTENT", "RUN_ERROR"]
    assert [chunk_failure(chunk) for chunk in seen] == [None, None, failure]
    controller.abort()
    await reading


async def test_a_subscriber_that_left_is_not_waited_for() -> None:
    connection = saying(*HELLO)
    chunks = connection.subscribe(None)
    reading = asyncio.create_task(anext(chunks))
    await asyncio.sleep(0)
    await chunks.aclose()
    with pytest.raises(StopAsyncIteration):
        await reading
    await asyncio.wait_for(connection.send(QUESTION, {"a": 1}, None, RUN), 10)


async def test_after_the_end_a_failure_is_only_raised() -> None:
    connection = saying(FINISHED, OSError("no"))
    chunks = connection.subscribe(None)
    with pytest.raises(OSError, match="no"):
        await connection.send(QUESTION, {"a": 1}, None, RUN)
    assert await anext(chunks) == FINISHED
    chunks.end()
    assert await collect(chunks) == []


async def test_an_abort_ends_a_stream_that_knows_of_no_signal() -> None:
    closed = []

    async def endless(_: Any) -> AsyncIterator[Chunk]:
        try:
            yield text("x")
            await asyncio.Event().wait()
        finally:
            closed.append("closed")

    controller = AbortController()
    connection = normalize(rpc_stream(endless))
    chunks: Any = connection.subscribe(None)
    sending = asyncio.create_task(connection.send(QUESTION, None, controller.signal, RUN))
    assert await anext(chunks) == text("x")
    controller.abort()
    await sending
    assert closed == ["closed"]
    chunks.end()
    assert await collect(chunks) == []


async def test_sending_takes_as_long_as_the_subscriber_does() -> None:
    connection, order = saying(*HELLO), []
    controller = AbortController()

    async def slowly() -> None:
        async for chunk in connection.subscribe(controller.signal):
            await asyncio.sleep(0)
            order.append(chunk["type"])

    reading = asyncio.create_task(slowly())
    await asyncio.sleep(0)
    await connection.send(QUESTION, {"a": 1}, None, RUN)
    order.append("sent")
    controller.abort()
    await reading
    assert order == [*(chunk["type"] for chunk in HELLO), "sent"]


async def test_only_the_latest_subscriber_receives() -> None:
    connection = saying(*HELLO)
    early = connection.subscribe(None)
    await connection.send(QUESTION, {"a": 1}, None, RUN)
    late = connection.subscribe(None)
    late.end()
    early.end()
    assert (await collect(early), await collect(late)) == ([], HELLO)


async def test_a_subscribing_adapter_is_used_as_it_is() -> None:
    calls: list[Any] = []

    class Adapter:
        async def subscribe(self) -> AsyncIterator[Chunk]:
            yield FINISHED

        async def send(self, messages: Any, data: Any, abort_signal: AbortSignal) -> None:
            calls.append((messages, data, abort_signal))

    adapter: Any = Adapter()
    connection = normalize(adapter)
    signal = AbortController().signal
    await connection.send(QUESTION, None, signal, RUN)
    assert calls == [(QUESTION, None, signal)]
    assert await collect(connection.subscribe(signal)) == [FINISHED]
    assert (connection.join_run, connection.hydrate) == (None, None)


async def test_what_an_adapter_can_do_besides() -> None:
    async def join(run_id: str, _: Any = None) -> AsyncIterator[Chunk]:
        yield {**FINISHED, "runId": run_id}

    async def hydrate(*_: Any, **__: Any) -> Any: ...

    connection = normalize(stream(join, join_run=join, hydrate=hydrate))
    assert connection.join_run is not None
    assert await collect(connection.join_run("r9")) == [{**FINISHED, "runId": "r9"}]
    assert connection.hydrate is hydrate

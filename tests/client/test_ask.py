"""One question: the text, the errors, and the model that stops when nobody wants the rest."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, cast

import pytest

from tokenwire.client import (
    ClientError,
    ConnectionLostError,
    HttpError,
    ProtocolError,
    RunFailed,
    TruncatedStreamError,
    ask,
    ask_sync,
    cancel_run,
)
from tokenwire.client.ask import AskWire
from tokenwire.testing import ChaosProxy, Cut, Reply, ThreadedUpstream

from ..conftest import Serve
from .raw_server import FINISHED, HELLO, Answer, RawServer, head, sse, stream, text

WIRES: list[AskWire] = ["auto", "tanstack", "rais"]
CONFIG = """
[models.one]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-one"

[models.two]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-two"

[personas.pirate]
system = "You are a pirate."
"""


@pytest.fixture
def url(serve: Serve) -> str:
    return serve().url + "/api/chat"


async def whole(answer: AsyncGenerator[str, None]) -> str:
    return "".join([delta async for delta in answer])


@pytest.mark.anyio
@pytest.mark.parametrize("wire", WIRES)
async def test_the_answer_comes_piece_by_piece(url: str, upstream: ThreadedUpstream, wire: AskWire) -> None:
    upstream.say("Hi", " there", hold=True)
    async with aclosing(ask(url, "Hello", wire=wire)) as answer:
        first = asyncio.ensure_future(anext(answer))
        request = await asyncio.to_thread(upstream.received)
        await asyncio.to_thread(request.step)
        assert await first == "Hi"
        await asyncio.to_thread(request.release)
        assert await whole(answer) == " there"


@pytest.mark.anyio
@pytest.mark.parametrize("wire", WIRES)
async def test_what_is_asked(serve: Serve, upstream: ThreadedUpstream, wire: AskWire) -> None:
    upstream.default = Reply(text=["Arr"])
    before = [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}]
    url = serve(CONFIG).url + "/api/chat"
    wishes: dict[str, Any] = {"model": "two", "persona": "pirate", "body": {"temperature": 0.5}}
    assert await whole(ask(url, "Three", wire=wire, messages=before, **wishes)) == "Arr"
    (request,) = upstream.requests
    assert [(row["role"], row["content"]) for row in request.body["messages"]] == [
        ("system", "You are a pirate."),
        ("user", "One"),
        ("assistant", "Two"),
        ("user", "Three"),
    ]
    assert (request.body["model"], request.body["temperature"]) == ("upstream-two", 0.5)


@pytest.mark.anyio
@pytest.mark.parametrize("wire", WIRES)
async def test_a_refusal_and_a_failure(url: str, upstream: ThreadedUpstream, wire: AskWire) -> None:
    upstream.reply(Reply(status=401), Reply(text=["Hi", "!"], error_after=1))
    with pytest.raises(HttpError) as refused:
        await whole(ask(url, "Hello", wire=wire))
    assert refused.value.status == 502
    answer = ask(url, "Hello", wire=wire)
    assert await anext(answer) == "Hi"
    with pytest.raises(RunFailed, match="The model reported an error"):
        await anext(answer)


@pytest.mark.anyio
@pytest.mark.parametrize("wire", WIRES)
async def test_a_lost_connection_is_taken_up_again(url: str, upstream: ThreadedUpstream, wire: AskWire) -> None:
    deltas = [f"{number} " for number in range(200)]
    upstream.reply(Reply(text=deltas, hold=True))
    cuts = [Cut(after=2000, ending="reset"), Cut(after=1400), Cut(after=1500, ending="reset")]
    async with ChaosProxy(url, cuts) as proxy, aclosing(ask(proxy.url, "Count", wire=wire)) as answer:
        first = asyncio.ensure_future(anext(answer))
        request = await asyncio.to_thread(upstream.received)
        await asyncio.to_thread(request.step)
        # a reset may take along what was received but not yet read, and without an offset there is no going on
        shown = await first
        await asyncio.to_thread(request.release)
        assert shown + await whole(answer) == "".join(deltas)
    assert len(upstream.requests) == 1


async def break_off(answer: AsyncGenerator[str, None]) -> None:
    async for _ in answer:
        break


async def close(answer: AsyncGenerator[str, None]) -> None:
    async with aclosing(answer):
        await anext(answer)


async def be_cancelled(answer: AsyncGenerator[str, None]) -> None:
    async for _ in answer:
        asyncio.get_running_loop().call_soon(cast(asyncio.Task[None], asyncio.current_task()).cancel)


@pytest.mark.anyio
@pytest.mark.parametrize("leave", [break_off, close, be_cancelled])
async def test_leaving_stops_the_model(
    url: str, upstream: ThreadedUpstream, leave: Callable[[AsyncGenerator[str, None]], Coroutine[Any, Any, None]]
) -> None:
    for number, wire in enumerate(WIRES, 1):
        upstream.say("Hi", " there", hold=True)
        leaving = asyncio.create_task(leave(ask(url, "Hello", wire=wire)))
        request = await asyncio.to_thread(upstream.received, number)
        await asyncio.to_thread(request.step)
        await asyncio.wait([leaving])
        assert leaving.cancelled() == (leave is be_cancelled)
        await asyncio.to_thread(request.wait_closed)


@pytest.mark.anyio
async def test_leaving_before_the_answer_begins_stops_the_model(url: str, upstream: ThreadedUpstream) -> None:
    upstream.say("Hi", hold="head")
    reading = asyncio.create_task(whole(ask(url, "Hello")))
    request = await asyncio.to_thread(upstream.received)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.to_thread(request.wait_closed)


@pytest.mark.anyio
async def test_a_server_that_names_no_run_is_told_nothing_more() -> None:
    async with RawServer([stream(sse(*HELLO[:3]), ending="hang")]) as server:
        async for _ in ask(server.url, "Hello"):
            break
        await server.hung_up()
    assert len(server.requests) == 1


@pytest.mark.anyio
async def test_a_server_that_cannot_be_told_is_left_all_the_same() -> None:
    answers = [
        Answer([head(content_type="text/event-stream", X_Run_Id="run 1"), sse(*HELLO[:3])], "hang"),
        stream(b"what?"),
    ]
    async with RawServer(answers) as server:
        async with aclosing(ask(f"{server.origin}/api/chat/tanstack?x=1", "Hello", headers={"A": "b"})) as answer:
            assert await anext(answer) == "Hel"
        await server.hung_up()
    told = server.requests[1]
    assert (told.method, told.target, told.headers["a"]) == ("POST", "/api/chat/runs/run%201/cancel", "b")


@pytest.mark.anyio
async def test_auto_reads_a_server_of_either_wire() -> None:
    rais = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo ☃"}, {"type": "done"}]
    async with RawServer([stream(sse(*rais)), stream(sse(*HELLO))]) as server:
        assert await whole(ask(server.url, "Hello")) == "Hello ☃"
        assert await whole(ask(server.url, "Hello")) == "Hello ☃"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (stream(sse(*HELLO[:3])), TruncatedStreamError),
        (stream(sse({"type": "text", "text": "Hel"})), TruncatedStreamError),
        (stream(b"<html>"), ProtocolError),
        (stream(sse({"type": "RUN_ERROR", "message": "No.", "code": "c"})), RunFailed),
        (stream(sse({"type": "RUN_ERROR", "error": {"message": "No.", "code": "c"}})), RunFailed),
        (stream(sse({"type": "error", "error": "No."})), RunFailed),
    ],
)
async def test_errors_have_types(answer: Answer, kind: type[ClientError]) -> None:
    async with RawServer([answer]) as server:
        with pytest.raises(kind) as caught:
            await whole(ask(server.url, "Hello"))
    if isinstance(caught.value, RunFailed):
        assert caught.value.message == "No."
    with pytest.raises(ConnectionLostError):
        await whole(ask(server.url, "Hello"))


@pytest.mark.anyio
async def test_text_after_a_round_of_tools_is_part_of_the_answer() -> None:
    turns = [text("Let me see. "), {**FINISHED, "finishReason": "tool_calls"}, text("42."), FINISHED]
    async with RawServer([stream(sse(*turns))]) as server:
        assert await whole(ask(server.url, "Hello")) == "Let me see. 42."


@pytest.mark.anyio
async def test_an_unknown_wire_is_refused() -> None:
    with pytest.raises(ValueError, match="auto, tanstack or rais"):
        await whole(ask("http://127.0.0.1:9", "Hello", wire="smoke"))  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_cancelling_a_run_nobody_knows(url: str) -> None:
    with pytest.raises(HttpError) as caught:
        await cancel_run(url, "run-unknown")
    assert caught.value.status == 404


def test_without_a_loop(url: str, upstream: ThreadedUpstream) -> None:
    upstream.default = Reply(text=("Hi", " there"))
    assert "".join(ask_sync(url, "Hello")) == "Hi there"


@pytest.mark.anyio
async def test_without_awaiting_inside_a_running_loop(url: str, upstream: ThreadedUpstream) -> None:
    upstream.default = Reply(text=("Hi", " there"))
    assert "".join(ask_sync(url, "Hello")) == "Hi there"


def test_leaving_without_a_loop_stops_the_model(url: str, upstream: ThreadedUpstream) -> None:
    for number, wire in enumerate(WIRES, 1):
        upstream.reply(Reply(text=("Hi", " there"), stall_at=600))
        for _ in ask_sync(url, "Hello", wire=wire):
            break
        upstream.received(number).wait_closed()


def test_errors_without_a_loop(url: str, upstream: ThreadedUpstream) -> None:
    upstream.reply(Reply(status=401))
    with pytest.raises(HttpError):
        list(ask_sync(url, "Hello"))

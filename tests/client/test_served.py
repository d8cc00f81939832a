"""The adapters against a real tokenwire, over connections that break at every byte: nothing lost, nothing doubled."""

import asyncio
from typing import Any

import pytest

from tokenwire.client import (
    Chunk,
    ClientError,
    ConnectionLostError,
    HttpError,
    RunContext,
    fetch_http_stream,
    fetch_server_sent_events,
    web_socket,
)
from tokenwire.client.messages import new_id
from tokenwire.testing import ChaosProxy, Cut, Finding, Oracle, Plan, Reading, Reply, ThreadedUpstream

from ..conftest import Serve
from .reading import AT_ONCE, ENDS, Seen, answer, collect, said

pytestmark = pytest.mark.anyio

REPLY = Reply(text=("Hello ☃",))
ORACLE = Oracle.of(REPLY.text, REPLY.reasoning)
PATHS = {"sse": "/api/chat", "ndjson": "/api/chat/ndjson", "websocket": "/api/chat/ws"}
framings = pytest.mark.parametrize("framing", PATHS)


def adapter_for(framing: str, url: str) -> Any:
    options = {"reconnect": AT_ONCE}
    target = url.rstrip("/") + PATHS[framing]
    if framing == "websocket":
        return web_socket(target.replace("http", "ws", 1), options)
    return (fetch_server_sent_events if framing == "sse" else fetch_http_stream)(target, options)


def reading(chunks: list[Chunk]) -> Reading:
    kinds = {"TEXT_MESSAGE_CONTENT": "text", "REASONING_MESSAGE_CONTENT": "reasoning"}
    made = Reading(terminals=[str(c.get("code", "")) for c in chunks if c["type"] in ENDS])
    for chunk in chunks:
        if (kind := kinds.get(chunk["type"])) is not None:
            setattr(made, kind, getattr(made, kind) + chunk["delta"])
    return made


def new_run() -> RunContext:
    return RunContext(run_id=new_id("run"))


@pytest.fixture
def url(serve: Serve, upstream: ThreadedUpstream) -> str:
    """A server whose model says the same to everybody."""
    upstream.default = REPLY
    return serve().url


async def broken(url: str, framing: str, plan: Plan) -> tuple[list[Finding], int]:
    """What is wrong with an answer over connections that break, and how many bytes passed.

    An answer that breaks before its first event may be an error: nothing says yet where to go on.
    """
    seen: list[Chunk] = []
    async with ChaosProxy(url, plan) as proxy:
        try:
            await answer(adapter_for(framing, proxy.url), new_run(), seen)
        except ClientError:
            return (ORACLE.judge([reading(seen)]) if seen else []), proxy.traffic.to_client
        return ORACLE.judge([reading(seen)]), proxy.traffic.to_client


@framings
async def test_an_answer_names_the_clients_own_run(framing: str, url: str) -> None:
    run = new_run()
    chunks = await answer(adapter_for(framing, url), run)
    assert ORACLE.judge([reading(chunks)]) == []
    assert (chunks[0]["threadId"], chunks[0]["runId"]) == (run.thread_id, run.run_id)


@framings
@pytest.mark.parametrize(("ending", "step"), [("close", 1), ("reset", 7)])
async def test_an_answer_that_is_cut_after_any_byte(
    framing: str, ending: Any, step: int, url: str, upstream: ThreadedUpstream
) -> None:
    findings, size = await broken(url, framing, ())
    assert findings == []
    places = asyncio.Semaphore(16)

    async def cut(after: int) -> list[Finding]:
        async with places:
            return (await broken(url, framing, [Cut(after, ending)]))[0]

    cuts = range(1, size, step)
    found = await asyncio.gather(*(cut(after) for after in cuts))
    assert [(after, findings) for after, findings in zip(cuts, found, strict=True) if findings] == []
    assert len(upstream.requests) <= 1 + len(cuts)


@framings
async def test_an_answer_whose_every_connection_is_cut(framing: str, url: str, upstream: ThreadedUpstream) -> None:
    findings, _ = await broken(url, framing, lambda number: Cut(1000) if number < 20 else None)
    assert findings == []
    assert len(upstream.requests) == 1


@framings
async def test_the_model_goes_on_while_the_client_is_away(framing: str, url: str, upstream: ThreadedUpstream) -> None:
    upstream.reply(Reply(text=("Hel", "lo"), hold=True))
    async with ChaosProxy(url) as proxy:
        seen = Seen()
        reading_on = asyncio.create_task(answer(adapter_for(framing, proxy.url), new_run(), seen))
        asked = await asyncio.to_thread(upstream.received)
        await asyncio.to_thread(asked.step)
        await seen.until(lambda: said(seen) == "Hel")
        proxy.sever()
        await asyncio.to_thread(asked.release)
        await reading_on
    assert said(seen) == "Hello"
    assert [chunk["type"] for chunk in seen if chunk["type"] in ENDS] == ["RUN_FINISHED"]


@framings
async def test_a_run_is_joined_from_its_start_by_somebody_else(framing: str, url: str) -> None:
    run = new_run()
    chunks = await answer(adapter_for(framing, url), run)
    assert await collect(adapter_for(framing, url).join_run(run.run_id)) == chunks


@framings
async def test_an_unknown_run_is_an_error(framing: str, url: str) -> None:
    with pytest.raises((HttpError, ConnectionLostError)):
        await collect(adapter_for(framing, url).join_run("run-that-never-was"))


@framings
async def test_two_turns(framing: str, url: str) -> None:
    adapter = adapter_for(framing, url)
    for _ in range(2):
        assert ORACLE.judge([reading(await answer(adapter, new_run()))]) == []


@pytest.mark.parametrize("framing", ["sse", "ndjson"])
async def test_the_legacy_dialect(framing: str, url: str) -> None:
    chunks = await answer(adapter_for(framing, url), RunContext(dialect="legacy"))
    assert said(chunks) == "Hello ☃"
    assert chunks[-1]["type"] == "RUN_FINISHED"

"""The adapters against TanStack's own server helpers, in Node: each framing, plain and with their memory log."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tokenwire.client import Chunk, ClientError, RunContext, fetch_http_stream, fetch_server_sent_events, web_socket
from tokenwire.client.messages import new_id
from tokenwire.testing import ChaosProxy, Cut

from ..interop.node import install
from .reading import AT_ONCE, answer, collect, said

pytestmark = pytest.mark.anyio

TEXT = "Hello ☃\n\ndata: x 🎉"
KINDS = ["RUN_STARTED", "TEXT_MESSAGE_START", *["TEXT_MESSAGE_CONTENT"] * 4, "TEXT_MESSAGE_END", "RUN_FINISHED"]
framings = pytest.mark.parametrize("framing", ["sse", "ndjson", "ws"])


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    install()
    process = subprocess.Popen(
        ["node", Path(__file__).with_name("npm_server.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait(10)


def adapter_for(framing: str, base: str, kind: str = "durable") -> Any:
    if framing == "ws":
        return web_socket(f"ws{base.removeprefix('http')}/{kind}/ws", {"reconnect": AT_ONCE})
    adapter = {"sse": fetch_server_sent_events, "ndjson": fetch_http_stream}[framing]
    return adapter(f"{base}/{kind}/{framing}", {"reconnect": AT_ONCE})


def new_run() -> RunContext:
    return RunContext(thread_id="thread-1", run_id=new_id("run"))


def without_log(chunks: list[Chunk]) -> list[Chunk]:
    """The answer's own events: the log begins with one that says it was accepted."""
    return [chunk for chunk in chunks if chunk["type"] != "CUSTOM"]


@framings
@pytest.mark.parametrize("kind", ["plain", "durable"])
async def test_an_answer(framing: str, kind: str, server: str) -> None:
    run = new_run()
    chunks = without_log(await answer(adapter_for(framing, server, kind), run))
    assert [chunk["type"] for chunk in chunks] == KINDS
    assert said(chunks) == TEXT
    assert (chunks[0]["threadId"], chunks[0]["runId"]) == ("thread-1", run.run_id)


@framings
async def test_an_answer_that_is_cut_after_any_byte(framing: str, server: str) -> None:
    async with ChaosProxy(server) as proxy:
        whole = await answer(adapter_for(framing, proxy.url), new_run())
        size = proxy.traffic.to_client
    assert said(whole) == TEXT
    places = asyncio.Semaphore(8)

    async def cut(after: int) -> tuple[list[str], str] | None:
        seen: list[Chunk] = []
        async with places, ChaosProxy(server, [Cut(after)]) as proxy:
            try:
                await answer(adapter_for(framing, proxy.url), new_run(), seen)
            except ClientError:
                if not seen:
                    return None  # nothing said yet where to go on
            return [chunk["type"] for chunk in without_log(seen)], said(seen)

    cuts = range(1, size, 3)
    seen = await asyncio.gather(*(cut(after) for after in cuts))
    assert [(after, got) for after, got in zip(cuts, seen, strict=True) if got not in (None, (KINDS, TEXT))] == []
    assert seen[-1] is not None


@framings
async def test_a_run_is_joined_from_its_start(framing: str, server: str) -> None:
    run = new_run()
    adapter = adapter_for(framing, server)
    chunks = await answer(adapter, run)
    assert await collect(adapter.join_run(run.run_id)) == chunks


@framings
async def test_without_the_log_a_cut_is_an_error(framing: str, server: str) -> None:
    seen: list[Chunk] = []
    async with ChaosProxy(server, [Cut(700)]) as proxy:
        with pytest.raises(ClientError):
            await answer(adapter_for(framing, proxy.url, "plain"), new_run(), seen)
    assert 0 < len(seen) < len(KINDS)
    assert TEXT.startswith(said(seen))

"""Reading an adapter to its end, as a chat does."""

import asyncio
from collections.abc import AsyncIterable, Callable
from contextlib import aclosing
from typing import Any

from tokenwire.client import AbortSignal, Chunk, RunContext
from tokenwire.client.connection import ConnectConnectionAdapter

QUESTION = [{"role": "user", "content": "Hello"}]
RUN = RunContext(thread_id="thread-1", run_id="run-1")
AT_ONCE = {"delay": 0}
ENDS = ("RUN_FINISHED", "RUN_ERROR")


class Seen(list[Chunk]):
    """Events as they come, and a wait for them."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    def append(self, chunk: Chunk) -> None:
        """Another one."""
        super().append(chunk)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns once a condition on them holds."""
        while not condition():
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 10)


async def read(
    adapter: ConnectConnectionAdapter, abort_signal: AbortSignal | None = None, into: list[Chunk] | None = None
) -> list[Chunk]:
    """All events of a run; those before an error are in ``into``."""
    return await collect(adapter.connect(QUESTION, None, abort_signal, RUN), into)


async def collect(chunks: AsyncIterable[Chunk], into: list[Chunk] | None = None) -> list[Chunk]:
    """All events."""
    seen: list[Chunk] = [] if into is None else into
    async for chunk in chunks:
        seen.append(chunk)
    return seen


def said(chunks: list[Chunk]) -> str:
    """The text they add up to."""
    return "".join(chunk.get("delta", "") for chunk in chunks if chunk["type"] == "TEXT_MESSAGE_CONTENT")


async def answer(adapter: Any, run: RunContext, into: list[Chunk] | None = None) -> list[Chunk]:
    """The events of a run, as a chat gets them."""
    seen: list[Chunk] = [] if into is None else into
    if not hasattr(adapter, "subscribe"):
        return await collect(adapter.connect(QUESTION, None, None, run), seen)
    async with aclosing(adapter.subscribe()) as chunks:
        await adapter.send(QUESTION, None, None, run)
        async for chunk in chunks:
            seen.append(chunk)
            if chunk["type"] in ENDS:
                break
    return seen

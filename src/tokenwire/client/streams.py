"""Chats over a function of the caller's own (docs/wires/tanstack.md 7.3)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from ..wire.reading import Chunk
from .connection import Data, Hydrate, JoinRun, Messages, RunContext, call_with, chunks_of

if TYPE_CHECKING:
    from .abort import AbortSignal

StreamFactory = Callable[..., AsyncIterable[Chunk] | Awaitable[AsyncIterable[Chunk]]]
"""``factory(messages, data, abort_signal)``, or with fewer parameters: an async generator function, say."""


class StreamAdapter:
    """A connect-mode adapter over a function. ``join_run`` and ``hydrate`` are there when they were given."""

    def __init__(self, factory: StreamFactory, hydrate: Hydrate | None, join_run: JoinRun | None) -> None:
        self._factory = factory
        if hydrate is not None:
            self.hydrate = hydrate
        if join_run is not None:
            self.join_run = join_run

    async def connect(
        self,
        messages: Messages,
        data: Data | None = None,
        abort_signal: AbortSignal | None = None,
        run_context: RunContext | None = None,  # noqa: ARG002
    ) -> AsyncGenerator[Chunk, None]:
        """What the function gives for these messages."""
        stream = call_with(self._factory, messages, data, abort_signal)
        async with aclosing(chunks_of(stream, abort_signal)) as chunks:
            async for chunk in chunks:
                yield chunk


def stream(factory: StreamFactory, *, hydrate: Hydrate | None = None, join_run: JoinRun | None = None) -> StreamAdapter:
    """An adapter over a stream of events in this process."""
    return StreamAdapter(factory, hydrate, join_run)


def rpc_stream(
    call: StreamFactory, *, hydrate: Hydrate | None = None, join_run: JoinRun | None = None
) -> StreamAdapter:
    """An adapter over a remote call that gives a stream of events."""
    return StreamAdapter(call, hydrate, join_run)

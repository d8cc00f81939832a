"""Servers in this process, for tests of the chat alone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from tokenwire.client import AbortSignal, ChatClient, Chunk, RunContext

Answer = Callable[["Request"], AsyncIterator[Chunk]]


class Request:
    """What the server was asked."""

    def __init__(self, messages: Sequence[Any], data: Mapping[str, Any] | None, context: RunContext) -> None:
        self.messages = list(messages)
        self.data = dict(data or {})
        self.context = context

    def started(self) -> Chunk:
        return {"type": "RUN_STARTED", "threadId": self.context.thread_id, "runId": self.context.run_id}

    def finished(self, reason: str = "stop", **fields: Any) -> Chunk:
        ids = {"threadId": self.context.thread_id, "runId": self.context.run_id}
        return {"type": "RUN_FINISHED", **ids, "finishReason": reason, **fields}


def delta(text: str, message_id: str = "m1") -> Chunk:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": text}


class Scripted:
    """A connect-mode adapter; ``answers`` are async generator functions, one for each request."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[Request] = []
        self.closed = 0

    async def connect(
        self,
        messages: Sequence[Any],
        data: Mapping[str, Any] | None = None,
        abort_signal: AbortSignal | None = None,  # noqa: ARG002
        run_context: RunContext | None = None,
    ) -> AsyncIterator[Chunk]:
        request = Request(messages, data, run_context or RunContext())
        self.requests.append(request)
        try:
            async for chunk in self._answers.pop(0)(request):
                yield chunk
        finally:
            self.closed += 1


def says(*texts: str, message_id: str = "m1") -> Answer:
    """Says the texts and is done."""

    async def answer(request: Request) -> AsyncIterator[Chunk]:
        yield request.started()
        for text in texts:
            yield delta(text, message_id)
        yield request.finished()

    return answer


def emits(*chunks: Chunk, reason: str = "stop", **fields: Any) -> Answer:
    """Emits the events between the start and the end of a run."""

    async def answer(request: Request) -> AsyncIterator[Chunk]:
        yield request.started()
        for chunk in chunks:
            yield chunk
        yield request.finished(reason, **fields)

    return answer


class Held:
    """Says something, then goes on when :meth:`release` is called; ``begun`` is set when it waits."""

    def __init__(self, *texts: str, message_id: str = "m1") -> None:
        self._texts = texts
        self._message_id = message_id
        self.begun = asyncio.Event()
        self._released = asyncio.Event()

    def release(self) -> None:
        self._released.set()

    async def released(self) -> None:
        await self._released.wait()

    async def __call__(self, request: Request) -> AsyncIterator[Chunk]:
        yield request.started()
        yield delta(self._texts[0], self._message_id)
        self.begun.set()
        await self.released()
        for text in self._texts[1:]:
            yield delta(text, self._message_id)
        yield request.finished()


async def shows(client: ChatClient, text: str) -> None:
    """Waits until the last message says ``text``."""
    snapshots = client.snapshots()
    try:
        async for snapshot in snapshots:
            if snapshot.messages and snapshot.messages[-1].text == text:
                return
    finally:
        await snapshots.aclose()

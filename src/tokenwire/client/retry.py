"""Asking again, for servers that do not number their events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ..wire.reading import Chunk
from .abort import Aborted, interruptible
from .connection import ConnectConnectionAdapter, Data, Messages, RunContext, call_with, chunks_of
from .errors import ClientError, ConnectionLostError, HttpError, TruncatedStreamError

if TYPE_CHECKING:
    from .abort import AbortSignal

_LATER = {408, 425, 429, 500, 502, 503, 504}
_PREPARATIONS = {"RUN_STARTED", "TEXT_MESSAGE_START", "STEP_STARTED", "REASONING_START", "REASONING_MESSAGE_START"}


class RetryingAdapter:
    """Another connect-mode adapter, asked again while it fails before anything of an answer was shown.

    Once a piece of the answer is out, a second answer would be another one: then the error is raised, and whether to
    ask again is the user's choice. So no text is ever doubled, and none is mixed out of two answers. Events that only
    announce what is to come are held back until it comes.

    Tried again are lost connections, streams that end without a terminal event, and the HTTP statuses 408, 425, 429,
    500, 502, 503 and 504. The waits double: ``delay`` seconds, twice that, … up to ``max_delay``; a server's
    ``Retry-After`` counts where it is longer, and ends the trying where it is longer than ``max_delay``.

    :param max_attempts: requests in all.
    """

    def __init__(
        self,
        adapter: ConnectConnectionAdapter,
        *,
        max_attempts: int = 3,
        delay: float = 1.0,
        max_delay: float = 30.0,
    ) -> None:
        if max_attempts < 1:
            raise ValueError("There is at least one attempt.")
        self._adapter = adapter
        self._max_attempts = max_attempts
        self._delay = delay
        self._max_delay = max_delay

    async def connect(
        self,
        messages: Messages,
        data: Data | None = None,
        abort_signal: AbortSignal | None = None,
        run_context: RunContext | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """The events of the first attempt that comes to something, or the error of the last."""
        run = run_context or RunContext()
        for attempt in range(self._max_attempts):
            held: list[Chunk] | None = []
            ended = False
            try:
                stream = call_with(self._adapter.connect, messages, data, abort_signal, run)
                async with aclosing(chunks_of(stream, abort_signal)) as chunks:
                    async for chunk in chunks:
                        ended = ended or chunk.get("type") in ("RUN_FINISHED", "RUN_ERROR")
                        if held is not None and chunk.get("type") in _PREPARATIONS:
                            held.append(chunk)
                            continue
                        for earlier in held or ():
                            yield earlier
                        held = None
                        yield chunk
                if ended or (abort_signal is not None and abort_signal.aborted):
                    return
                raise TruncatedStreamError
            except (ConnectionLostError, TruncatedStreamError, HttpError) as error:
                wait = self._wait(error, attempt)
                if held is None or wait is None or attempt + 1 == self._max_attempts:
                    raise
            try:
                with interruptible(abort_signal):
                    await asyncio.sleep(wait)
            except Aborted:
                return

    def _wait(self, error: ClientError, attempt: int) -> float | None:
        """Seconds until another try makes sense, if one does."""
        wait = min(self._delay * (1 << attempt), self._max_delay)
        if not isinstance(error, HttpError):
            return wait
        if error.status not in _LATER or (error.retry_after or 0) > self._max_delay:
            return None
        return max(wait, error.retry_after or 0)


def retrying(
    adapter: ConnectConnectionAdapter, *, max_attempts: int = 3, delay: float = 1.0, max_delay: float = 30.0
) -> RetryingAdapter:
    """See :class:`RetryingAdapter`."""
    return RetryingAdapter(adapter, max_attempts=max_attempts, delay=delay, max_delay=max_delay)

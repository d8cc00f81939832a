"""Going on where an answer broke off (docs/wires/tanstack.md 5.2), over any transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from ..wire.reading import Chunk, Event, is_terminal
from .abort import Aborted, interruptible
from .errors import (
    ClientError,
    ConnectionLostError,
    DurableStreamIncompleteError,
    HttpError,
    ProtocolError,
    StreamReconnectLimitError,
    TruncatedStreamError,
)

if TYPE_CHECKING:
    from .abort import AbortSignal
    from .options import Reconnect

Open = Callable[[str | None], AsyncGenerator[Event, None]]
"""Opens a stream: from the start, or strictly after an offset."""


class Progress:
    """What has come of a run: which offsets, which end, and how many reconnects were of no use."""

    def __init__(self, reconnect: Reconnect) -> None:
        self.offset: str | None = None
        """Where to go on."""
        self.advanced = False
        """Whether the connection that is open, or was, brought anything new."""
        self._reconnect = reconnect
        self._seen: set[str] = set()
        self._useless = 0
        self._terminal: Chunk | None = None

    @property
    def ended(self) -> bool:
        """Whether the last event was a terminal one."""
        return self._terminal is not None

    @property
    def final(self) -> bool:
        """Whether nothing can follow: it ended, and not only a turn that asked for tools."""
        return self._terminal is not None and not _asks_for_tools(self._terminal)

    def is_new(self, event: Event) -> bool:
        """Takes note of an event. Whether it is one that was not seen before.

        Raises :class:`ProtocolError` for an offset that no header and no URL can carry.
        """
        if event.offset == "":
            self.offset = None
            self._seen.clear()
        elif event.offset is None:
            if event.chunk == self._terminal:
                # a server that has nothing after the end says the end again, under no offset
                return False
        elif event.offset in self._seen:
            return False
        elif not event.offset.isprintable():
            raise ProtocolError("The server numbers its events with characters that cannot be sent back.")
        else:
            self._seen.add(event.offset)
            self.offset = event.offset
        self.advanced = True
        self._terminal = event.chunk if is_terminal(event.chunk) else None
        return True

    async def before_reconnect(self) -> None:
        """Waits as long as is decent. Raises :class:`StreamReconnectLimitError`."""
        self._useless = 0 if self.advanced else self._useless + 1
        if self._useless > self._reconnect.max_attempts:
            raise StreamReconnectLimitError(self._reconnect.max_attempts)
        self.advanced = False
        if self._reconnect.on_reconnect is not None:
            self._reconnect.on_reconnect()
        await asyncio.sleep(self._reconnect.delay)


async def resumable(
    open_stream: Open, reconnect: Reconnect, abort_signal: AbortSignal | None = None
) -> AsyncGenerator[Chunk, None]:
    """A run's events, over as many streams as it takes; each once.

    A stream is followed to its end, because a terminal event may end only one turn of the run. It is opened again,
    after the last offset, when it breaks, and when it ends before a terminal event did. When the signal is aborted
    the events end.

    Raises :class:`TruncatedStreamError` where there is no offset to go on from; :class:`StreamReconnectLimitError`;
    :class:`DurableStreamIncompleteError`; and what ``open_stream`` raises, a lost connection without an offset and
    every refusal among it. After a terminal event nothing of that is raised.
    """
    progress = Progress(reconnect)
    try:
        while True:
            cause = None
            try:
                async with aclosing(open_stream(progress.offset)) as events:
                    async for event in events:
                        if progress.is_new(event):
                            yield event.chunk
            except (ConnectionLostError, TruncatedStreamError) as error:
                cause = error
            except HttpError:
                if progress.ended:
                    return
                raise
            if progress.final or (progress.ended and (cause is None or progress.offset is None)):
                return
            if progress.offset is None:
                raise _broken_off(progress, cause) from cause
            if cause is None and not progress.advanced:
                raise DurableStreamIncompleteError
            try:
                with interruptible(abort_signal):
                    await progress.before_reconnect()
            except StreamReconnectLimitError as error:
                if progress.ended:
                    return
                raise error from cause
    except Aborted:
        return


def _broken_off(progress: Progress, cause: ClientError | None) -> ClientError:
    """A server that was never reached is a lost connection; an answer that stopped is a truncated one."""
    if isinstance(cause, ConnectionLostError) and not progress.advanced:
        return cause
    return TruncatedStreamError()


def _asks_for_tools(terminal: Chunk) -> bool:
    """Whether more turns may follow: the loops of some servers end one for every round of tools (2.1)."""
    if terminal["type"] != "RUN_FINISHED" or terminal.get("outcome"):
        return False
    reason = terminal.get("finishReason")
    if reason is None:
        metadata = terminal.get("metadata")
        own = metadata.get("tanstack") if isinstance(metadata, dict) else None
        reason = own.get("finishReason") if isinstance(own, dict) else None
    return reason == "tool_calls"

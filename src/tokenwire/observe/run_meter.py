"""One run, timed on its way from the model to whoever reads it."""

import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import TypeVar

from .. import events
from .histogram import Histogram

_TOKENS = frozenset({events.TextMessageContent, events.ReasoningMessageContent, events.ToolCallArgs})

_Message = TypeVar("_Message")


class RunMeter:
    """Looks at the clock for each event that is on its way into the log, and when it is on its way out.

    Every token passes here twice, so it is noted and no more; :meth:`count` puts what was noted into the histograms.

    :param encode: makes an event into its record.
    :param gaps: of the pieces of an answer.
    :param relays: of what readers were sent.
    """

    __slots__ = (
        "__weakref__",
        "_came",
        "_delays",
        "_encode",
        "_gaps",
        "_relays",
        "_started",
        "_waiting_since",
        "first_token",
    )

    def __init__(self, encode: Callable[[events.Event], bytes], gaps: Histogram, relays: Histogram) -> None:
        self._encode = encode
        self._gaps = gaps
        self._relays = relays
        self._started = time.perf_counter()
        self._came: list[float] = []
        """When the pieces came that are not counted yet, and the one before them."""
        self._delays: list[float] = []
        self.first_token: float | None = None
        """Seconds from the run's start, once it is counted."""
        self._waiting_since = 0.0
        """Since when the oldest event has been here that no reader was sent; 0 where none has."""

    def encode(self, event: events.Event) -> bytes:
        """The event's record."""
        now = time.perf_counter()
        if not self._waiting_since:
            self._waiting_since = now
        if type(event) in _TOKENS:
            self._came.append(now)
        return self._encode(event)

    def encode_until_first(self, event: events.Event) -> bytes:
        """The event's record, where the first piece is all there is to time."""
        if not self._came and type(event) in _TOKENS:
            self._came.append(time.perf_counter())
        return self._encode(event)

    def watching(self, send: Callable[[_Message], Awaitable[None]]) -> Callable[[_Message], Awaitable[None]]:
        """A reader's ``send``, which notes how long what it sends was on its way.

        What was here before the reader came has not waited for it.
        """
        delays = self._delays
        self._waiting_since = 0.0

        def send_watched(message: _Message) -> Awaitable[None]:
            if self._waiting_since:
                delays.append(time.perf_counter() - self._waiting_since)
                self._waiting_since = 0.0
            return send(message)

        return send_watched

    def count(self) -> None:
        """Counts what was noted since the last time."""
        came = self._came
        if came and self.first_token is None:
            self.first_token = came[0] - self._started
        self._gaps.observe_all(piece - before for before, piece in pairwise(came))
        del came[:-1]
        self._relays.observe_all(self._delays)
        self._delays.clear()

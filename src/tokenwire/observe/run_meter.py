"""One run, timed on its way from the model to whoever reads it."""

import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .. import events
from .histogram import Histogram

_TOKENS = frozenset({events.TextMessageContent, events.ReasoningMessageContent, events.ToolCallArgs})

_Message = TypeVar("_Message")


class RunMeter:
    """Looks at the clock for each event that is on its way into the log, and when it is on its way out.

    Every token passes here twice: what :meth:`Histogram.observe` does is done in place, without a call.

    :param encode: makes an event into its record.
    :param gaps: of the pieces of an answer.
    :param relays: of what readers were sent.
    """

    __slots__ = ("__weakref__", "_encode", "_gaps", "_last", "_relays", "_started", "_waiting_since", "first_token")

    def __init__(self, encode: Callable[[events.Event], bytes], gaps: Histogram, relays: Histogram) -> None:
        self._encode = encode
        self._gaps = gaps
        self._relays = relays
        self._started = time.perf_counter()
        self._last = 0.0
        self.first_token: float | None = None
        """Seconds from the run's start."""
        self._waiting_since = 0.0
        """Since when the oldest event has been here that no reader was sent; 0 where none has."""

    def encode(self, event: events.Event) -> bytes:
        """The event's record."""
        now = time.perf_counter()
        if not self._waiting_since:
            self._waiting_since = now
        if type(event) in _TOKENS:
            if self._last:
                gaps, gap = self._gaps, now - self._last
                gaps.counts[bisect_left(gaps.bounds, gap)] += 1
                gaps.sum += gap
            else:
                self.first_token = now - self._started
            self._last = now
        return self._encode(event)

    def watching(self, send: Callable[[_Message], Awaitable[None]]) -> Callable[[_Message], Awaitable[None]]:
        """A reader's ``send``, which notes how long what it sends was on its way.

        What was here before the reader came has not waited for it.
        """
        relays = self._relays
        self._waiting_since = 0.0

        def send_watched(message: _Message) -> Awaitable[None]:
            if self._waiting_since:
                delay = time.perf_counter() - self._waiting_since
                relays.counts[bisect_left(relays.bounds, delay)] += 1
                relays.sum += delay
                self._waiting_since = 0.0
            return send(message)

        return send_watched

"""How long an answer may take, part by part."""

import asyncio
from collections.abc import Callable

from .base import Parser, Timeouts


class Deadlines:
    """Calls ``on_late`` with what took too long, until :meth:`end`.

    The pace of tokens is looked at now and then, so a token costs nothing here: that the next one is missing is noticed
    at most a quarter of its time too late, never too early.
    """

    paused = False
    """While the answer is not read, nobody is to blame for the pace of its tokens."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, timeouts: Timeouts, parser: Parser, on_late: Callable[[str], None]
    ) -> None:
        self._loop = loop
        self._parser = parser
        self._between_tokens = timeouts.between_tokens
        self._tokens = 0
        self._moved = 0.0
        # whoever asked is known to the timers alone, and so forgotten with them
        self._timers: dict[str, asyncio.TimerHandle] = {}
        if timeouts.answer is not None:
            self._timers["answer"] = loop.call_later(timeouts.answer, on_late, f"no end within {timeouts.answer:g} s")
        if timeouts.first_token is not None:
            seconds = timeouts.first_token
            self._timers["first"] = loop.call_later(seconds, self._look_for_first, seconds, on_late)

    def begin_tokens(self, on_late: Callable[[str], None]) -> None:
        """The first token is there: from now on it is the next that is waited for."""
        if self._between_tokens is not None:
            self._moved = self._loop.time()
            self._look_for_next(self._between_tokens, on_late)

    def end(self) -> None:
        """Looks at nothing any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _look_for_first(self, seconds: float, on_late: Callable[[str], None], was_paused: bool = False) -> None:
        if self._parser.tokens:
            return
        if not (self.paused or was_paused):
            on_late(f"no token within {seconds:g} s")
            return
        wait = seconds / 4 if self.paused else seconds
        self._timers["first"] = self._loop.call_later(wait, self._look_for_first, seconds, on_late, self.paused)

    def _look_for_next(self, seconds: float, on_late: Callable[[str], None]) -> None:
        now, tokens = self._loop.time(), self._parser.tokens
        self._timers["next"] = self._loop.call_later(seconds / 4, self._look_for_next, seconds, on_late)
        if tokens != self._tokens or self.paused:
            self._tokens, self._moved = tokens, now
        elif now - self._moved >= seconds:
            on_late(f"no token for {seconds:g} s")

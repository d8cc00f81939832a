"""Noticing that nothing happens, at no cost while something does."""

import asyncio
from collections.abc import Callable


class Silence:
    """Calls ``on_silence`` whenever ``active`` was not set for a while: at most ``seconds``, at least half of it.

    One timer that looks twice a period, instead of one that is moved for every event.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, on_silence: Callable[[], None]) -> None:
        self.active = True
        self._loop = loop
        self._interval = seconds / 2
        self._on_silence = on_silence
        self._timer: asyncio.TimerHandle | None = loop.call_later(self._interval, self._look)

    def end(self) -> None:
        """Stops looking, and lets go of whoever asked."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            del self._on_silence

    def _look(self) -> None:
        self._timer = self._loop.call_later(self._interval, self._look)
        if not self.active:
            self._on_silence()
        self.active = False

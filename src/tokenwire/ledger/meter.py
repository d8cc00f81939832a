"""What one run tells, counted where its events become records."""

import time
from collections.abc import Callable

from .. import events
from .estimate import TELLING, Told


class Meter:
    """Encodes the events of a run and counts on the way. Nothing here waits: it is the way of every token.

    :param encode: makes an event into its record.
    """

    def __init__(self, encode: Callable[[events.Event], bytes]) -> None:
        self.told = Told()
        self.first_token: float | None = None
        """When it came, by the monotonic clock."""
        self._encode = encode
        self._mark: float = float("inf")
        self._on_mark: Callable[[], None] = _nothing

    def alert(self, tokens: float, on_mark: Callable[[], None]) -> None:
        """Calls back once when so many tokens were told, at once if they were already."""
        self._mark, self._on_mark = tokens, on_mark
        self._look()

    def rest(self) -> None:
        """Calls nobody back any more."""
        self._mark, self._on_mark = float("inf"), _nothing

    def __call__(self, event: events.Event) -> bytes:
        if isinstance(event, TELLING):
            if self.first_token is None:
                self.first_token = time.monotonic()
            self.told.add(event.delta)
            if self.told.tokens >= self._mark:
                self._look()
        return self._encode(event)

    def _look(self) -> None:
        if self.told.tokens >= self._mark:
            self._mark = float("inf")
            self._on_mark()


def _nothing() -> None:
    pass

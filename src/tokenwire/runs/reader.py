"""A reader: one connection's place in a log. It catches up, then follows."""

import asyncio
from collections.abc import Sequence

from ..silence import Silence
from .log import Log

BATCH = 512
"""The most records taken at once: bounds what a slow connection holds in memory beside the log."""


class Reader:
    """Follows one log from after a sequence number.

    ``take`` what is there, else ``wait``; stop when ``done`` or ``gone``. Say when something was ``sent``: after
    ``heartbeat`` seconds without it ``wait`` returns, and ``due`` is true once. Taking is not sending: a wire may have
    no word for what was taken.
    """

    def __init__(self, log: Log, after: int, heartbeat: float) -> None:
        self.log = log
        self.position = after
        self.gone = False
        self._due = False
        # kept: on CPython 3.11 asking for the running loop is a system call each time
        self._loop = asyncio.get_running_loop()
        self._waiter = self._loop.create_future()
        self._waiter.set_result(None)
        self._woken = False
        """Whether something has changed since the last :meth:`take`."""
        self._silence = Silence(self._loop, heartbeat, self._remind)
        log.follow(self.wake)

    @property
    def done(self) -> bool:
        """Whether the log has ended, or failed, and is read to its end."""
        return (self.log.closed or self.log.failure is not None) and self.position >= self.log.length

    @property
    def due(self) -> bool:
        """Whether a heartbeat is due. Asking answers it."""
        due, self._due = self._due, False
        return due

    def take(self) -> Sequence[bytes]:
        """The next records, which are then behind this reader."""
        self._woken = False
        records = self.log.read(self.position, BATCH)
        if records:
            self.position += len(records)
        return records

    def wait(self) -> asyncio.Future[None]:
        """Done when there is something to take, the log has ended, a heartbeat is due, or the reader was woken.

        For one at a time. No coroutine: it is awaited for every token.
        """
        if not (self._woken or self.position < self.log.length or self.done):
            self._waiter = self._loop.create_future()
        return self._waiter

    def sent(self) -> None:
        """Something went out on the connection."""
        self._silence.active = True

    def leave(self) -> None:
        """The connection is gone."""
        self.gone = True
        self.wake()

    def close(self) -> None:
        """Lets go of the log."""
        self._silence.end()
        self.log.unfollow(self.wake)

    def wake(self) -> None:
        """Ends a wait, this one or the next: something has changed."""
        self._woken = True
        if not self._waiter.done():
            self._waiter.set_result(None)

    def _remind(self) -> None:
        self._due = True
        self.wake()

"""Leaving in mid-sentence: what connections are told when this process is about to stop."""

import asyncio
from collections.abc import Callable

from ..runs.log import Wake
from ..runs.reader import Reader


class Drain:
    """Says when connections are to be moved to another process of the same store.

    A client that comes back by itself is moved by ending its response: cleanly, and not before it has delivered an
    event, because its next request is then free (docs/wires/tanstack.md 5.2). The others stay until their answer ends.
    """

    def __init__(self) -> None:
        self.leaving = False
        """No connection is kept open for another request."""
        self.moving = False
        """Whoever can go on elsewhere shall do so."""
        self.over = False
        """Nothing is heard of other processes any more: whoever still waits for them is cut off, and may come back."""
        self._wakes: set[Wake] = set()
        self._readers: dict[Reader, bool] = {}

    def leave(self) -> None:
        """This process takes no new connections any more."""
        self.leaving = True

    def move_on(self) -> None:
        """There is another process to go to."""
        self.moving = True
        self._wake()

    def end(self) -> None:
        """This process has nothing more to say."""
        self.over = True
        self._wake()

    def watch(self, wake: Wake) -> None:
        """Calls ``wake`` when it is time to move on."""
        self._wakes.add(wake)

    def unwatch(self, wake: Wake) -> None:
        """Stops that."""
        self._wakes.discard(wake)

    def join(self, reader: Reader, *, returns: bool) -> None:
        """A connection follows a log, and is woken when it is time to move on, or to go.

        :param returns: its client comes back by itself.
        """
        self._readers[reader] = returns
        self.watch(reader.wake)

    def part(self, reader: Reader) -> None:
        """The connection is done with that."""
        del self._readers[reader]
        self.unwatch(reader.wake)

    async def settled(self) -> None:
        """Returns when nobody who stays waits for the rest of an answer."""
        await until(lambda: not any(map(self._waits, self._readers)))

    async def told(self) -> None:
        """Returns when nobody follows a log any more."""
        await until(lambda: not self._readers)

    def _waits(self, reader: Reader) -> bool:
        goes = self.moving and self._readers[reader]
        return not goes and not reader.log.closed and reader.log.failure is None

    def _wake(self) -> None:
        for wake in tuple(self._wakes):
            wake()


async def until(over: Callable[[], bool]) -> None:
    """Looks now and then, once in a process's life, at what nobody else has to be told of."""
    while not over():  # noqa: ASYNC110
        await asyncio.sleep(0.05)

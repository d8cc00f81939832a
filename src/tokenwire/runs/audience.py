"""Who is listening to a run, and what follows when nobody is."""

import asyncio
from collections.abc import Callable


class Audience:
    """Counts a run's readers, and calls ``on_empty`` when nobody has been there for ``grace`` seconds.

    ``grace`` is ``None`` where a run goes on without readers, 0 where it ends with the last of them. A hang-up and a
    Stop look the same from here (docs/wires/tanstack.md 4): the grace is how long we believe in a hang-up.
    """

    def __init__(self, grace: float | None, on_empty: Callable[[], None]) -> None:
        self.count = 0
        self._grace = grace
        self._on_empty = on_empty
        self._timer: asyncio.TimerHandle | None = None

    def join(self) -> None:
        """One more reader."""
        self.count += 1
        self._stop_waiting()

    def leave(self) -> None:
        """One reader fewer."""
        self.count -= 1
        if self.count == 0:
            self._wait(self._grace)

    def wait_on(self) -> None:
        """Somebody listens elsewhere: ``on_empty`` is called again when the grace, but at least a second, is over."""
        if self.count == 0 and self._grace is not None:
            self._wait(max(self._grace, 1.0))

    @property
    def policy(self) -> str:
        """As the configuration spells it."""
        if self._grace is None:
            return "continue"
        return f"grace({self._grace:g})" if self._grace else "cancel"

    def dismiss(self) -> None:
        """The run is over: whoever leaves from now on leaves nothing behind."""
        self._grace = None
        self._stop_waiting()
        del self._on_empty

    def _wait(self, seconds: float | None) -> None:
        self._stop_waiting()
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._on_empty)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

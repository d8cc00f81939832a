"""Who waits for the next record of a log, and when each of them is told."""

import asyncio

from .log import Wake

PACE = 0.015
"""Seconds that the followers after the first wait between two wakes, for each of them …"""
MOST = 0.250
"""… and at most."""


class Followers:
    """Wakes the first follower at once, and the others together, at a pace.

    A token costs a reader a send. The first reader, who asked, gets each token by itself; a second tab that lags by
    some hundredths of a second looks the same to a person. So a run's further readers together cost at most
    ``1 / PACE`` sends a second, however many they are (until each gets one every ``MOST`` seconds).
    """

    def __init__(self) -> None:
        self._wakes: list[Wake] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._wakes)

    def add(self, wake: Wake) -> None:
        """One more, at the end."""
        self._wakes.append(wake)

    def remove(self, wake: Wake) -> None:
        """One fewer."""
        self._wakes.remove(wake)

    def wake(self) -> None:
        """There is something new."""
        wakes = self._wakes
        if wakes:
            wakes[0]()
            if len(wakes) > 1 and self._timer is None:
                delay = min(PACE * (len(wakes) - 1), MOST)
                self._timer = asyncio.get_running_loop().call_later(delay, self._wake_others)

    def wake_all(self) -> None:
        """There is something that nobody should wait for: the end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for wake in tuple(self._wakes):
            wake()

    def _wake_others(self) -> None:
        self._timer = None
        for wake in tuple(self._wakes):  # the first as well: it was not yet the first if another has left since
            wake()

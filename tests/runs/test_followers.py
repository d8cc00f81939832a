"""Who is woken when: the first at once, the others together at a pace, everybody at the end."""

from collections.abc import Callable

import pytest

from tokenwire.runs.followers import MOST, PACE, Followers

from .clock import ClockLoop

pytestmark = pytest.mark.anyio


class Woken:
    """Followers by name, and how often each was woken."""

    def __init__(self, *names: str) -> None:
        self.followers = Followers()
        self.counts = dict.fromkeys(names, 0)
        self.wakes = {name: self._wake_of(name) for name in names}
        for wake in self.wakes.values():
            self.followers.add(wake)

    def _wake_of(self, name: str) -> Callable[[], None]:
        def wake() -> None:
            self.counts[name] += 1

        return wake


async def test_the_first_is_told_at_once_and_every_time(clock: ClockLoop) -> None:
    woken = Woken("first", "second", "third")
    for _ in range(5):
        woken.followers.wake()
    assert woken.counts == {"first": 5, "second": 0, "third": 0}


async def test_the_others_are_told_together_once_for_all_that_came(clock: ClockLoop) -> None:
    woken = Woken("first", "second", "third")
    for _ in range(5):
        woken.followers.wake()
    await clock.advance(PACE * 1.9)
    assert (woken.counts["second"], woken.counts["third"]) == (0, 0)
    await clock.advance(PACE * 0.2)
    assert (woken.counts["second"], woken.counts["third"]) == (1, 1)
    await clock.advance(100)
    assert (woken.counts["second"], woken.counts["third"]) == (1, 1)
    woken.followers.wake()
    await clock.advance(PACE * 2.1)
    assert (woken.counts["second"], woken.counts["third"]) == (2, 2)


async def test_however_many_there_are_nobody_waits_longer_than_the_most(clock: ClockLoop) -> None:
    woken = Woken(*map(str, range(1000)))
    woken.followers.wake()
    await clock.advance(MOST * 0.9)
    assert woken.counts["999"] == 0
    await clock.advance(MOST * 0.2)
    assert woken.counts["999"] == 1


async def test_the_end_is_told_to_everybody_at_once_and_only_once(clock: ClockLoop) -> None:
    woken = Woken("first", "second", "third")
    woken.followers.wake()
    woken.followers.wake_all()
    assert woken.counts == {"first": 2, "second": 1, "third": 1}
    await clock.advance(100)
    assert woken.counts == {"first": 2, "second": 1, "third": 1}


async def test_whoever_becomes_the_first_is_told_what_it_was_still_to_be_told(clock: ClockLoop) -> None:
    woken = Woken("first", "second")
    woken.followers.wake()
    woken.followers.remove(woken.wakes["first"])
    await clock.advance(PACE * 2)
    assert woken.counts["second"] == 1
    woken.followers.wake()
    assert woken.counts == {"first": 1, "second": 2}


async def test_who_has_left_is_not_told(clock: ClockLoop) -> None:
    woken = Woken("first", "second", "third")
    woken.followers.wake()
    woken.followers.remove(woken.wakes["third"])
    await clock.advance(100)
    woken.followers.wake_all()
    assert woken.counts["third"] == 0
    assert len(woken.followers) == 2


async def test_nobody_is_no_trouble(clock: ClockLoop) -> None:
    woken = Woken()
    woken.followers.wake()
    woken.followers.wake_all()
    await clock.advance(100)
    assert len(woken.followers) == 0

"""Silence is noticed, by a clock that the test moves."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire.silence import Silence

SECONDS = 8.0


class HandMovedLoop(asyncio.SelectorEventLoop):
    """A real loop whose time passes when it is told to."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def pass_until(self, moment: float) -> None:
        """Lets the time pass in steps of a second, with what is due then."""
        while self.now < moment:
            self.now = min(self.now + 1, moment)
            self.call_soon(self.stop)
            self.run_forever()


class Noticed:
    """A silence under watch, and when it was noticed."""

    def __init__(self) -> None:
        self.loop = HandMovedLoop()
        self.moments: list[float] = []
        self.silence = Silence(self.loop, SECONDS, lambda: self.moments.append(self.loop.now))

    def happens_at(self, moment: float) -> None:
        self.loop.pass_until(moment)
        self.silence.active = True


@pytest.fixture
def noticed() -> Iterator[Noticed]:
    noticed = Noticed()
    yield noticed
    noticed.silence.end()
    noticed.loop.close()


def test_nothing_happening_at_all_is_noticed_after_the_time(noticed: Noticed) -> None:
    noticed.loop.pass_until(SECONDS - 1)
    assert noticed.moments == []
    noticed.loop.pass_until(SECONDS)
    assert noticed.moments == [SECONDS]


def test_as_long_as_something_happens_nothing_is_noticed(noticed: Noticed) -> None:
    for moment in range(1, 100, 3):
        noticed.happens_at(moment)
    assert noticed.moments == []


def test_a_silence_that_lasts_is_noticed_again(noticed: Noticed) -> None:
    noticed.loop.pass_until(10 * SECONDS)
    apart = [later - earlier for earlier, later in zip(noticed.moments, noticed.moments[1:], strict=False)]
    assert len(noticed.moments) > 5
    assert all(SECONDS / 2 <= seconds <= SECONDS for seconds in apart)


def test_after_its_end_nothing_is_noticed(noticed: Noticed) -> None:
    noticed.silence.end()
    noticed.silence.end()
    noticed.loop.pass_until(10 * SECONDS)
    assert noticed.moments == []


def test_whoever_is_told_may_end_it() -> None:
    loop = HandMovedLoop()
    told: list[float] = []

    def end() -> None:
        told.append(loop.now)
        silence.end()

    silence = Silence(loop, SECONDS, end)
    loop.pass_until(10 * SECONDS)
    loop.close()
    assert told == [SECONDS]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 200), max_size=8).map(sorted))
def test_it_is_noticed_within_its_time_and_not_before_half_of_it(quarters: list[int]) -> None:
    noticed = Noticed()
    for quarter in quarters:
        noticed.happens_at(quarter / 4)
    last = noticed.loop.now
    before = len(noticed.moments)
    noticed.loop.pass_until(last + SECONDS)
    noticed.silence.end()
    noticed.loop.close()
    assert len(noticed.moments) > before
    assert SECONDS / 2 <= noticed.moments[before] - last <= SECONDS

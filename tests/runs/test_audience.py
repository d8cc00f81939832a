"""Who is listening, and what follows when nobody is."""

import pytest

from tokenwire.runs.audience import Audience

from .clock import ClockLoop

pytestmark = pytest.mark.anyio


class Emptied:
    """Counts how often nobody was left."""

    count = 0

    def __call__(self) -> None:
        self.count += 1


async def test_nobody_has_left_before_anybody_came(clock: ClockLoop) -> None:
    emptied = Emptied()
    Audience(5, emptied)
    await clock.advance(1000)
    assert emptied.count == 0


async def test_the_grace_begins_when_the_last_reader_leaves(clock: ClockLoop) -> None:
    emptied = Emptied()
    audience = Audience(5, emptied)
    audience.join()
    audience.join()
    audience.leave()
    await clock.advance(1000)
    assert (audience.count, emptied.count) == (1, 0)
    audience.leave()
    await clock.advance(4.9)
    assert (audience.count, emptied.count) == (0, 0)
    await clock.advance(0.2)
    assert emptied.count == 1
    await clock.advance(1000)
    assert emptied.count == 1


async def test_whoever_comes_back_within_the_grace_ends_it(clock: ClockLoop) -> None:
    emptied = Emptied()
    audience = Audience(5, emptied)
    audience.join()
    audience.leave()
    await clock.advance(4)
    audience.join()
    await clock.advance(1000)
    assert emptied.count == 0


async def test_every_leaving_has_a_grace_of_its_own(clock: ClockLoop) -> None:
    emptied = Emptied()
    audience = Audience(5, emptied)
    for _ in range(3):
        audience.join()
        audience.leave()
        await clock.advance(4)
    assert emptied.count == 0
    await clock.advance(2)
    assert emptied.count == 1


async def test_without_a_grace_the_end_follows_the_last_reader_at_once(clock: ClockLoop) -> None:
    emptied = Emptied()
    audience = Audience(0, emptied)
    audience.join()
    audience.leave()
    assert emptied.count == 0  # never from within the reader's own leaving
    await clock.advance(0)
    assert emptied.count == 1


async def test_with_an_endless_grace_nothing_follows(clock: ClockLoop) -> None:
    emptied = Emptied()
    audience = Audience(None, emptied)
    audience.join()
    audience.leave()
    await clock.advance(1_000_000)
    assert emptied.count == 0


async def test_a_dismissed_audience_waits_for_nothing(clock: ClockLoop) -> None:
    emptied = Emptied()
    audience = Audience(5, emptied)
    audience.join()
    audience.leave()
    audience.dismiss()
    await clock.advance(1000)
    assert emptied.count == 0


async def test_who_leaves_a_dismissed_audience_starts_no_wait(clock: ClockLoop) -> None:
    """A run that ended before its readers left would otherwise be held for another grace."""
    emptied = Emptied()
    audience = Audience(5, emptied)
    audience.join()
    audience.dismiss()
    audience.leave()
    await clock.advance(1000)
    assert emptied.count == 0


@pytest.mark.parametrize(
    ("grace", "policy"), [(None, "continue"), (0, "cancel"), (30, "grace(30)"), (0.5, "grace(0.5)"), (1.0, "grace(1)")]
)
def test_a_policy_is_named_as_the_configuration_spells_it(grace: float | None, policy: str) -> None:
    assert Audience(grace, Emptied()).policy == policy


@pytest.mark.parametrize(("grace", "wait"), [(0, 1.0), (0.2, 1.0), (5, 5.0)])
async def test_a_reader_elsewhere_is_asked_about_again_but_not_all_the_time(
    clock: ClockLoop, grace: float, wait: float
) -> None:
    emptied = Emptied()
    audience = Audience(grace, emptied)
    audience.join()
    audience.leave()
    await clock.advance(grace)
    assert emptied.count == 1
    audience.wait_on()
    await clock.advance(wait * 0.9)
    assert emptied.count == 1
    await clock.advance(wait * 0.2)
    assert emptied.count == 2


async def test_whoever_comes_while_another_process_is_asked_is_not_waited_for(clock: ClockLoop) -> None:
    emptied = Emptied()
    audience = Audience(0, emptied)
    audience.join()
    audience.leave()
    await clock.advance(0)
    audience.join()
    audience.wait_on()
    await clock.advance(1000)
    assert emptied.count == 1

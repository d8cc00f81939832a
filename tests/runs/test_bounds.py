"""How large a run may grow, and how far ahead of its readers: beyond that its source has to wait."""

import pytest

from tokenwire import events
from tokenwire.runs.engine import Engine
from tokenwire.runs.memory import MemoryStore
from tokenwire.runs.run import Bounds, Run

from .clock import ClockLoop
from .record import happened, info, said
from .source import ScriptedSource

pytestmark = pytest.mark.anyio


@pytest.fixture
def source() -> ScriptedSource:
    return ScriptedSource()


@pytest.fixture
async def run(source: ScriptedSource) -> Run:
    """A run of at most 100,000 bytes, at most 10,000 ahead of its readers."""
    engine = Engine(MemoryStore(), max_runs=1, bounds=Bounds(size=100_000, ahead=10_000))
    await engine.start(info(), None, source)
    return source.run


def say(run: Run, size: int) -> None:
    for _ in range(size // 1000):
        run.emit([said("x" * 930)])


async def test_a_run_that_nobody_reads_goes_on(run: Run, source: ScriptedSource, clock: ClockLoop) -> None:
    say(run, 90_000)
    await clock.advance(1)
    assert (source.pauses, run.ended) == (0, False)


async def test_a_run_that_is_read_goes_on(run: Run, source: ScriptedSource, clock: ClockLoop) -> None:
    run.audience.join()
    for _ in range(45):
        say(run, 2000)
        run.log.read(0, run.log.length)
        await clock.advance(0.2)
    assert source.pauses == 0


async def test_a_run_far_ahead_of_its_readers_waits_for_them(
    run: Run, source: ScriptedSource, clock: ClockLoop
) -> None:
    run.audience.join()
    say(run, 9000)
    assert source.pauses == 0
    say(run, 12_000)
    assert (source.pauses, source.resumes) == (1, 0)
    await clock.advance(5)
    assert source.resumes == 0
    run.log.read(0, run.log.length)
    await clock.advance(0.2)
    assert (source.pauses, source.resumes) == (1, 1)
    say(run, 30_000)
    assert source.pauses == 2


async def test_the_fastest_reader_counts(run: Run, source: ScriptedSource, clock: ClockLoop) -> None:
    run.audience.join()
    run.audience.join()
    for _ in range(20):
        say(run, 3000)
        run.log.read(run.log.length - 1, 1)
        run.log.read(0, 1)
        await clock.advance(0.2)
    assert source.pauses == 0


async def test_it_waits_no_longer_when_the_readers_have_left(
    run: Run, source: ScriptedSource, clock: ClockLoop
) -> None:
    run.audience.join()
    say(run, 30_000)
    run.audience.leave()
    await clock.advance(0.2)
    assert (source.pauses, source.resumes) == (1, 1)


async def test_a_run_that_waits_can_be_ended(run: Run, source: ScriptedSource, clock: ClockLoop) -> None:
    run.audience.join()
    say(run, 30_000)
    run.cancel()
    await clock.advance(10)
    assert (source.stops, source.resumes) == (1, 0)


async def test_it_waits_for_the_store_and_for_its_readers(run: Run, source: ScriptedSource, clock: ClockLoop) -> None:
    run.audience.join()
    say(run, 30_000)
    run.hold()
    run.log.read(0, run.log.length)
    await clock.advance(1)
    assert (source.pauses, source.resumes) == (1, 0)
    run.resume()
    assert (source.pauses, source.resumes) == (1, 1)


async def test_what_the_source_had_read_before_it_paused_is_not_lost(run: Run) -> None:
    run.audience.join()
    say(run, 30_000)
    run.emit([said("the last")])
    run.finish("stop")
    assert happened(run.log)[-2] == said("the last")


async def test_an_answer_beyond_its_bound_is_ended(run: Run, source: ScriptedSource) -> None:
    say(run, 110_000)
    last = happened(run.log)[-1]
    assert isinstance(last, events.RunError)
    assert last.code == "answer_too_long"
    assert source.stops == 1

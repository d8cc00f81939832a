"""A run: its first event before anything else, one terminal whatever happens, nothing after it."""

import asyncio
import gc
import weakref
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire import events
from tokenwire.errors import Code, Failure, UpstreamFailure
from tokenwire.runs.engine import Engine
from tokenwire.runs.memory import MemoryStore
from tokenwire.runs.run import Bounds, Run

from .clock import ClockLoop
from .record import happened, info, said
from .source import ScriptedSource

pytestmark = pytest.mark.anyio

END = events.TextMessageEnd("message")


async def begin(engine: Engine, source: ScriptedSource, *, grace: float | None = None) -> Run:
    log = await engine.start(info(), grace, source)
    run = engine.live(log)
    assert run is source.run
    return source.run


async def test_the_first_event_is_logged_before_the_source_says_anything(engine: Engine) -> None:
    before: list[list[events.Event]] = []
    await begin(engine, ScriptedSource(on_start=lambda run: before.append(happened(run.log))))
    assert before == [[events.RunStarted("thread", "run")]]


async def test_what_the_source_says_is_logged_in_order(engine: Engine) -> None:
    run = await begin(engine, ScriptedSource())
    run.accept()
    run.emit([events.TextMessageStart("message", "assistant"), said("a")])
    run.emit([said("b"), END])
    run.finish("stop", model="m", usage=events.Usage(prompt_tokens=1))
    assert happened(run.log)[1:] == [
        events.TextMessageStart("message", "assistant"),
        said("a"),
        said("b"),
        END,
        events.RunFinished("thread", "run", "stop", "m", events.Usage(prompt_tokens=1)),
    ]
    assert run.log.closed


async def test_a_source_may_be_finished_at_its_start(engine: Engine) -> None:
    def answer(run: Run) -> None:
        run.accept()
        run.emit([said("a")])
        run.finish("stop")

    log = await engine.start(info(), None, ScriptedSource(on_start=answer))
    assert log.closed
    assert engine.live(log) is None


async def test_a_failure_is_told_in_the_log(engine: Engine) -> None:
    run = await begin(engine, ScriptedSource())
    run.accept()
    run.emit([said("a")])
    run.fail(UpstreamFailure(Code.upstream_truncated, detail="a secret"))
    assert happened(run.log)[1:] == [
        said("a"),
        events.RunError(Failure(Code.upstream_truncated).message, "upstream_truncated", "thread", "run"),
    ]
    assert run.log.closed
    assert run.refusal is None


async def test_a_failure_before_accept_is_a_refusal(engine: Engine) -> None:
    run = await begin(engine, ScriptedSource())
    failure = UpstreamFailure(Code.upstream_rate_limited, retry_after=7)
    run.fail(failure)
    assert run.refusal is failure
    assert await run.settle(1) is failure
    assert isinstance(happened(run.log)[-1], events.RunError)


async def test_settling_waits_for_accept(engine: Engine, clock: ClockLoop) -> None:
    run = await begin(engine, ScriptedSource())
    first, second = asyncio.create_task(run.settle(5)), asyncio.create_task(run.settle(5))
    await clock.advance(1)
    assert not first.done()
    run.accept()
    assert (await first, await second) == (None, None)
    assert await run.settle(5) is None


async def test_settling_waits_for_a_refusal(engine: Engine, clock: ClockLoop) -> None:
    run = await begin(engine, ScriptedSource())
    waiting = asyncio.create_task(run.settle(5))
    await clock.advance(1)
    failure = Failure(Code.upstream_auth)
    run.fail(failure)
    assert await waiting is failure


async def test_settling_waits_no_longer_than_its_limit(engine: Engine, clock: ClockLoop) -> None:
    run = await begin(engine, ScriptedSource())
    waiting = asyncio.create_task(run.settle(5))
    await clock.advance(6)
    assert await waiting is None
    run.fail(Failure(Code.upstream_auth))
    assert run.log.closed


async def test_somebody_who_gives_up_settling_harms_nobody(engine: Engine, clock: ClockLoop) -> None:
    run = await begin(engine, ScriptedSource())
    impatient, patient = asyncio.create_task(run.settle(5)), asyncio.create_task(run.settle(5))
    await clock.advance(1)
    impatient.cancel()
    await clock.advance(1)
    run.accept()
    assert await patient is None


async def test_a_cancel_stops_the_source_closes_what_is_open_and_is_no_failure(engine: Engine) -> None:
    source = ScriptedSource(closing=[END])
    run = await begin(engine, source)
    run.accept()
    run.emit([events.TextMessageStart("message", "assistant"), said("a")])
    run.cancel()
    assert source.stops == 1
    assert happened(run.log)[-2:] == [END, events.RunFinished("thread", "run", "cancelled")]
    assert run.log.closed
    assert run.refusal is None


async def test_a_cancel_before_accept_is_no_refusal(engine: Engine) -> None:
    run = await begin(engine, ScriptedSource())
    run.cancel()
    assert await run.settle(5) is None


async def test_a_run_nobody_listens_to_is_abandoned_after_its_grace(engine: Engine, clock: ClockLoop) -> None:
    source = ScriptedSource()
    run = await begin(engine, source, grace=5)
    run.accept()
    run.audience.join()
    run.audience.leave()
    await clock.advance(4)
    assert not run.log.closed
    await clock.advance(2)
    assert source.stops == 1
    last = happened(run.log)[-1]
    assert isinstance(last, events.RunError)
    assert last.code == "abandoned"
    assert engine.live(run.log) is None


async def test_an_answer_that_grows_too_long_is_stopped(engine: Engine) -> None:
    source = ScriptedSource(closing=[END])
    run = await begin(engine, source)
    run.accept()
    run.emit([said("x" * 500)])
    assert not run.log.closed
    run.emit([said("x" * 500)])
    assert source.stops == 1
    last = happened(run.log)[-1]
    assert isinstance(last, events.RunError)
    assert last.code == "answer_too_long"
    run.emit([said("late")])
    assert happened(run.log)[-1] == last


async def test_a_run_that_has_ended_is_not_kept_by_the_readers_that_leave_it(clock: ClockLoop) -> None:
    """Readers leave after the end; a grace begun then would hold the run and its log beyond the store's bound."""
    engine = Engine(MemoryStore(keep_seconds=1), max_runs=10, bounds=Bounds(size=1000, ahead=1000))
    source = ScriptedSource()
    run = await begin(engine, source, grace=3600)
    run.audience.join()
    run.accept()
    run.finish("stop")
    run.audience.leave()
    gone = weakref.ref(run)
    del run, source
    await clock.advance(2)
    gc.collect()
    assert gone() is None


async def test_a_run_that_loses_its_log_stops_and_says_nothing_more(engine: Engine) -> None:
    source = ScriptedSource(closing=[END])
    run = await begin(engine, source)
    run.accept()
    run.emit([said("a")])
    run.lose(Failure(Code.producer_lost))
    before = happened(run.log)
    run.emit([said("late")])
    run.finish("stop")
    run.cancel()
    run.lose(Failure(Code.producer_lost))
    assert (source.stops, run.ended, engine.live(run.log)) == (1, True, None)
    assert happened(run.log) == before
    assert not run.log.closed


async def test_a_run_that_loses_its_log_before_accept_tells_who_waits_for_it(engine: Engine, clock: ClockLoop) -> None:
    run = await begin(engine, ScriptedSource())
    waiting = asyncio.create_task(run.settle(5))
    await clock.advance(1)
    failure = Failure(Code.store_unavailable)
    run.lose(failure)
    assert await waiting is failure


async def test_a_store_that_does_not_keep_up_holds_the_source(engine: Engine) -> None:
    source = ScriptedSource()
    run = await begin(engine, source)
    run.hold()
    assert (source.pauses, source.resumes) == (1, 0)
    run.resume()
    assert (source.pauses, source.resumes) == (1, 1)
    run.hold()
    run.finish("stop")
    run.resume()
    run.hold()
    assert (source.pauses, source.resumes) == (2, 1)


class Counting(ScriptedSource):
    """Knows how many tokens are still to come."""

    def __init__(self, saved: int | None) -> None:
        super().__init__()
        self._saved = saved

    @property
    def saved(self) -> int | None:
        return self._saved


@pytest.mark.parametrize(
    ("end", "by"),
    [
        (Run.cancel, "a cancel"),
        (Run.abandon, "the disconnect policy grace(5)"),
        (lambda run: run.abandon(Failure(Code.shutting_down)), "shutting_down"),
    ],
    ids=["cancel", "abandon", "close"],
)
@pytest.mark.parametrize(
    ("saved", "spared"), [(42, "at most 42 tokens"), (None, "an unknown number of tokens (no max_tokens)")]
)
async def test_what_ends_a_run_early_is_logged_with_what_it_saves(
    engine: Engine,
    caplog: pytest.LogCaptureFixture,
    end: Callable[[Run], None],
    by: str,
    saved: int | None,
    spared: str,
) -> None:
    run = await begin(engine, Counting(saved), grace=5)
    with caplog.at_level("INFO", "tokenwire.runs"):
        end(run)
        end(run)
    lines = [line for line in caplog.messages if "is ended by" in line]
    assert lines == [f"run run is ended by {by}, which saves {spared}"]


CALLS: dict[str, Callable[[Run], None]] = {
    "accept": Run.accept,
    "emit": lambda run: run.emit([said("more")]),
    "emit nothing": lambda run: run.emit([]),
    "finish": lambda run: run.finish("stop"),
    "fail": lambda run: run.fail(Failure(Code.upstream_error)),
    "cancel": Run.cancel,
    "abandon": Run.abandon,
    "outgrow": lambda run: run.emit([said("x" * 2000)]),
    "join": lambda run: run.audience.join(),
    "leave": lambda run: run.audience.leave() if run.audience.count else None,
}
ENDS = {"finish", "fail", "cancel", "abandon", "outgrow"}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(sorted(CALLS)), max_size=12))
def test_whatever_is_called_there_is_one_terminal_and_nothing_after_it(names: list[str]) -> None:
    async def play() -> None:
        engine = Engine(MemoryStore(), max_runs=10, bounds=Bounds(size=1000, ahead=1000))
        source = ScriptedSource(closing=[END])
        run = await begin(engine, source)
        log = run.log
        for name in names:
            CALLS[name](run)
        logged = happened(log)
        ended = bool(ENDS & set(names))
        assert logged[0] == events.RunStarted("thread", "run")
        assert [isinstance(event, events.Terminal) for event in logged].count(True) == ended
        assert isinstance(logged[-1], events.Terminal) == ended
        assert log.closed == ended
        assert (engine.live(log) is None) == ended
        assert source.starts == 1
        assert source.stops <= 1

    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        runner.run(play())

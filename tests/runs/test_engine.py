"""The engine: one start for each run, everybody's own runs, and an end for all of them."""

import asyncio
import gc
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress

import pytest

from tokenwire import events
from tokenwire.errors import Code, Failure, Refusal
from tokenwire.runs.engine import Engine
from tokenwire.runs.log import Log, RunInfo, log_key
from tokenwire.runs.memory import MemoryLog, MemoryStore
from tokenwire.runs.run import Bounds

from .clock import ClockLoop
from .contract import until
from .record import happened, info, said
from .source import FailingSource, ScriptedSource

pytestmark = pytest.mark.anyio


def code_of(log: Log) -> str:
    """How a log's run failed."""
    assert log.closed
    last = happened(log)[-1]
    assert isinstance(last, events.RunError)
    return last.code


async def test_a_run_is_started_once_however_often_it_is_asked_for(engine: Engine) -> None:
    sources = [ScriptedSource() for _ in range(5)]
    logs = [await engine.start(info(), None, source) for source in sources]
    assert len({id(log) for log in logs}) == 1
    assert [source.starts for source in sources] == [1, 0, 0, 0, 0]


async def test_a_run_asked_for_by_many_at_once_is_started_once(engine: Engine) -> None:
    sources = [ScriptedSource() for _ in range(20)]
    logs = await asyncio.gather(*(engine.start(info(), None, source) for source in sources))
    assert len({id(log) for log in logs}) == 1
    assert sum(source.starts for source in sources) == 1


async def test_a_finished_run_is_not_started_again(engine: Engine) -> None:
    first, second = ScriptedSource(), ScriptedSource()
    log = await engine.start(info(), None, first)
    first.run.finish("stop")
    assert await engine.start(info(), None, second) is log
    assert second.starts == 0
    assert engine.live(log) is None


async def test_a_run_is_found_by_its_id_and_by_its_key(engine: Engine) -> None:
    log = await engine.start(info("r"), None, ScriptedSource())
    assert await engine.find("alice", run_id="r") is log
    assert await engine.find("alice", key=log.key) is log
    assert await engine.find("alice", run_id="other") is None
    assert await engine.find("alice", key="nonsense") is None


async def test_another_principals_run_is_unknown(engine: Engine) -> None:
    source = ScriptedSource()
    log = await engine.start(info("r", "alice"), None, source)
    assert await engine.find("bob", run_id="r") is None
    assert await engine.find("bob", key=log.key) is None
    with pytest.raises(Refusal) as refused:
        await engine.cancel("bob", "r")
    assert refused.value.code is Code.unknown_run
    assert source.stops == 0


async def test_the_same_run_id_of_two_principals_is_two_runs(engine: Engine) -> None:
    alices, bobs = ScriptedSource(), ScriptedSource()
    await engine.start(info("r", "alice"), None, alices)
    log = await engine.start(info("r", "bob"), None, bobs)
    assert (alices.starts, bobs.starts) == (1, 1)
    await engine.cancel("alice", "r")
    assert (alices.stops, bobs.stops) == (1, 0)
    assert not log.closed


def test_keys_tell_principals_and_runs_apart_and_stand_in_an_offset() -> None:
    pairs = [("a", "b"), ("ab", ""), ("", "ab"), ("b", "a"), ("a", "b ")]
    keys = {log_key(principal, run_id) for principal, run_id in pairs}
    assert len(keys) == len(pairs)
    for key in keys:
        assert key.isascii()
        assert key.isprintable()
        assert not set(key) & set(': "')


async def test_a_cancel_stops_the_run_and_says_whether_there_was_one(engine: Engine) -> None:
    source = ScriptedSource()
    log = await engine.start(info("r"), None, source)
    assert await engine.cancel("alice", "r") is True
    assert log.closed
    assert await engine.cancel("alice", "r") is False
    assert source.stops == 1
    with pytest.raises(Refusal) as refused:
        await engine.cancel("alice", "unknown")
    assert refused.value.code is Code.unknown_run


async def test_a_late_cancel_does_not_touch_a_newer_run(engine: Engine) -> None:
    old, new = ScriptedSource(), ScriptedSource()
    await engine.start(info("old"), None, old)
    old.run.finish("stop")
    await engine.start(info("new"), None, new)
    assert await engine.cancel("alice", "old") is False
    assert new.stops == 0
    assert not new.run.log.closed


async def test_too_many_runs_are_refused_and_leave_nothing_behind(engine: Engine) -> None:
    for run_id in ("r1", "r2"):
        await engine.start(info(run_id), None, ScriptedSource())
    refused = ScriptedSource()
    with pytest.raises(Refusal) as refusal:
        await engine.start(info("r3"), None, refused)
    assert refusal.value.code is Code.overloaded
    assert refused.starts == 0
    assert await engine.find("alice", run_id="r3") is None


async def test_when_there_is_no_room_a_known_run_can_still_be_attached_to(engine: Engine) -> None:
    logs = [await engine.start(info(run_id), None, ScriptedSource()) for run_id in ("r1", "r2")]
    assert await engine.start(info("r1"), None, ScriptedSource()) is logs[0]


async def test_when_there_is_no_room_a_finished_run_can_still_be_read(engine: Engine) -> None:
    source = ScriptedSource()
    finished = await engine.start(info("r1"), None, source)
    source.run.finish("stop")
    for run_id in ("r2", "r3"):
        await engine.start(info(run_id), None, ScriptedSource())
    assert await engine.start(info("r1"), None, ScriptedSource()) is finished


@pytest.mark.parametrize("end", ["finish", "fail", "cancel", "abandon"])
async def test_every_end_makes_room(engine: Engine, end: str) -> None:
    source = ScriptedSource()
    await engine.start(info("r1"), None, source)
    await engine.start(info("r2"), None, ScriptedSource())
    match end:
        case "finish":
            source.run.finish("stop")
        case "fail":
            source.run.fail(Failure(Code.upstream_error))
        case "cancel":
            source.run.cancel()
        case "abandon":
            source.run.abandon()
    third = ScriptedSource()
    await engine.start(info("r3"), None, third)
    assert third.starts == 1


async def test_closing_ends_every_run_with_a_code(engine: Engine) -> None:
    sources = [ScriptedSource(), ScriptedSource()]
    logs = [await engine.start(info(f"r{n}"), None, source) for n, source in enumerate(sources)]
    await engine.close()
    assert [source.stops for source in sources] == [1, 1]
    assert [code_of(log) for log in logs] == ["shutting_down", "shutting_down"]
    await engine.close()
    assert [source.stops for source in sources] == [1, 1]


class SlowStore(MemoryStore):
    """Opens logs when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = asyncio.Event()

    async def open(self, info: RunInfo) -> tuple[MemoryLog, bool]:
        await self.ready.wait()
        return await super().open(info)


async def test_runs_that_wait_for_the_store_take_their_places() -> None:
    store = SlowStore()
    engine = Engine(store, max_runs=2, bounds=Bounds(1000, 1000))
    sources = [ScriptedSource() for _ in range(5)]
    starting = asyncio.gather(
        *(engine.start(info(f"r{n}"), None, source) for n, source in enumerate(sources)), return_exceptions=True
    )
    await asyncio.sleep(0)
    store.ready.set()
    refused = [one.code for one in await starting if isinstance(one, Refusal)]
    assert refused == [Code.overloaded] * 3
    assert engine.live_runs == sum(source.starts for source in sources) == 2
    await engine.close()


async def test_who_waits_for_the_last_run_waits_for_one_that_is_about_to_begin() -> None:
    store, source = SlowStore(), ScriptedSource(lambda run: run.finish("stop"))
    engine = Engine(store, max_runs=1, bounds=Bounds(1000, 1000))
    starting = asyncio.create_task(engine.start(info(), None, source))
    await asyncio.sleep(0)
    idle = asyncio.create_task(engine.idle())
    await asyncio.sleep(0)
    assert not idle.done()
    store.ready.set()
    await idle
    assert source.starts == 1
    assert (await starting).closed
    await engine.close()


async def test_a_run_that_is_about_to_begin_does_not_outlive_the_engine() -> None:
    store, source = SlowStore(), ScriptedSource()
    engine = Engine(store, max_runs=1, bounds=Bounds(1000, 1000))
    starting = asyncio.create_task(engine.start(info(), None, source))
    await asyncio.sleep(0)
    await engine.close()
    store.ready.set()
    with pytest.raises(Refusal) as refused:
        await starting
    assert refused.value.code is Code.shutting_down
    assert source.starts == engine.live_runs == 0


async def test_a_run_that_is_refused_by_a_closing_engine_tells_who_waits_for_it(engine: Engine) -> None:
    source = ScriptedSource()
    await engine.start(info(), None, source)
    waiting = asyncio.create_task(source.run.settle(5))
    await asyncio.sleep(0)
    await engine.close()
    failure = await waiting
    assert failure is not None
    assert failure.code is Code.shutting_down


async def test_a_closed_engine_starts_nothing(engine: Engine) -> None:
    """A request whose body arrives in the middle of a shutdown would ask a model that nobody then hears."""
    await engine.close()
    source = ScriptedSource()
    with pytest.raises(Refusal) as refused:
        await engine.start(info(), None, source)
    assert refused.value.code is Code.shutting_down
    assert source.starts == 0


async def test_a_source_that_cannot_start_ends_its_run_and_holds_no_place(engine: Engine) -> None:
    for run_id in ("r1", "r2", "r3"):
        log = await engine.start(info(run_id), None, FailingSource(at="start"))
        run = engine.live(log)
        assert run is not None
        assert await run.settle(20) is run.refusal is not None
        assert engine.live(log) is None
        assert code_of(log) == "internal"
    await engine.close()


async def test_a_refusal_at_the_very_start_is_heard_by_whoever_asked(engine: Engine) -> None:
    refusal = Failure(Code.upstream_unavailable)
    log = await engine.start(info(), None, ScriptedSource(lambda run: run.fail(refusal)))
    run = engine.live(log)
    assert run is not None
    assert await run.settle(20) is refusal
    assert code_of(log) == "upstream_unavailable"


async def test_a_run_that_is_refused_at_the_very_start_may_be_cancelled_first(engine: Engine) -> None:
    log = await engine.start(info(), None, ScriptedSource(lambda run: run.fail(Failure(Code.upstream_unavailable))))
    await engine.cancel("alice", log.info.run_id)
    end = log.length
    await asyncio.sleep(0)
    assert (log.closed, log.length) == (True, end)


async def test_a_source_that_cannot_be_stopped_ends_its_run_all_the_same() -> None:
    engine = Engine(MemoryStore(), max_runs=1, bounds=Bounds(size=1000, ahead=1000))
    log = await engine.start(info("r1"), None, FailingSource(at="stop"))
    with suppress(RuntimeError):
        await engine.cancel("alice", "r1")
    assert log.closed
    assert engine.live(log) is None


async def test_a_source_that_cannot_be_stopped_does_not_keep_others_from_their_end(engine: Engine) -> None:
    log = await engine.start(info("r1"), None, FailingSource(at="stop"))
    other = ScriptedSource()
    await engine.start(info("r2"), None, other)
    with suppress(RuntimeError):
        await engine.close()
    assert log.closed
    assert other.stops == 1
    assert other.run.log.closed


class Elsewhere(MemoryStore):
    """As if there were another process that reads, or that cannot be asked."""

    answers: Sequence[bool | Refusal] = ()

    async def attended(self, key: str) -> bool:  # noqa: ARG002
        answer, *self.answers = self.answers
        if isinstance(answer, Refusal):
            raise answer
        return answer


@pytest.mark.parametrize("first", [True, Refusal(Code.store_unavailable)], ids=["read", "unknown"])
async def test_a_run_that_may_be_read_elsewhere_is_asked_about_again(clock: ClockLoop, first: bool | Refusal) -> None:
    store = Elsewhere()
    store.answers = [first, False]
    engine = Engine(store, max_runs=2, bounds=Bounds(size=1000, ahead=1000))
    source = ScriptedSource()
    log = await engine.start(info(), 5, source)
    source.run.audience.join()
    source.run.audience.leave()
    await clock.advance(5)
    await clock.advance(4.9)
    assert (source.stops, len(store.answers)) == (0, 1)
    await clock.advance(0.2)
    await clock.advance(0)
    assert source.stops == 1
    assert code_of(log) == "abandoned"


async def test_whoever_comes_while_the_other_processes_are_asked_keeps_the_run(clock: ClockLoop) -> None:
    store = Elsewhere()
    store.answers = [False]
    engine = Engine(store, max_runs=2, bounds=Bounds(size=1000, ahead=1000))
    source = ScriptedSource()
    await engine.start(info(), 0, source)
    source.run.audience.join()
    source.run.audience.leave()
    await until(lambda: bool(engine._tasks))
    source.run.audience.join()
    await clock.advance(1000)
    assert (source.stops, store.answers) == (0, [])


async def test_a_repeated_cancel_is_told_that_there_is_nothing_left(engine: Engine) -> None:
    source = ScriptedSource()
    await engine.start(info("r"), None, source)
    stopped = await asyncio.gather(*(engine.cancel("alice", "r") for _ in range(5)))
    assert stopped == [True, False, False, False, False]
    assert source.stops == 1


class Away(MemoryStore):
    """A store that makes no logs."""

    async def open(self, info: RunInfo) -> tuple[MemoryLog, bool]:  # noqa: ARG002
        raise Refusal(Code.store_unavailable)


async def test_a_run_that_cannot_be_kept_is_refused_and_asks_nobody() -> None:
    engine = Engine(Away(), max_runs=1, bounds=Bounds(size=1000, ahead=1000))
    source = ScriptedSource()
    for _ in range(3):
        with pytest.raises(Refusal) as refused:
            await engine.start(info(), None, source)
        assert refused.value.code is Code.store_unavailable
    assert source.starts == 0
    await engine.idle()


async def test_thousands_of_finished_runs_do_not_grow_the_process(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "tokenwire")  # a line kept for each of them would
    store = MemoryStore(keep_bytes=200_000)
    engine = Engine(store, max_runs=2, bounds=Bounds(size=10_000, ahead=10_000))

    async def finish(count: int) -> int:
        for number in range(count):
            source = ScriptedSource()
            await engine.start(info(f"{number}"), 30, source)
            source.run.audience.join()
            source.run.emit([said("x" * 300)])
            source.run.finish("stop")
            source.run.audience.leave()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = await finish(500)
        after = await finish(5000)
    finally:
        tracemalloc.stop()
    assert 50 < len(store) < 300
    assert after - before < 100_000

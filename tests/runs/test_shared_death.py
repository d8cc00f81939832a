"""A process that died, or that only slept: its runs are ended once, by whoever notices, and never by mistake."""

import asyncio
import time
from pathlib import Path

import pytest

from tokenwire.errors import Code, Refusal
from tokenwire.runs.engine import Engine
from tokenwire.runs.lease import obituary
from tokenwire.runs.run import Bounds
from tokenwire.runs.sqlite import SqliteBackend

from .contract import until, write
from .record import FINISHED, STARTED, info
from .shared_stores import Deaf, Noted, age, everything, nothing, opened, read_in, renewed, stored
from .source import ScriptedSource

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


async def test_the_run_of_a_dead_process_is_ended_once_whoever_notices(file: Path) -> None:
    dead = SqliteBackend(file)
    async with (
        opened(dead, lease_seconds=600) as store,
        opened(file, lease_seconds=0.4) as one,
        opened(file, lease_seconds=0.4) as another,
    ):
        written, _ = await store.open(info())
        await write(written, [STARTED, b"2"])
        reads = [await read_in(survivor) for survivor in (one, another)]
        age(file, dead.worker, 600)
        await until(lambda: all(read.closed for read in reads))
        assert everything(reads[0]) == everything(reads[1]) == stored(file) == [STARTED, b"2", obituary(info())]


async def test_an_owner_that_was_asleep_writes_nothing_more_and_shows_what_the_store_has(file: Path) -> None:
    asleep = SqliteBackend(file)
    async with opened(asleep, lease_seconds=600) as store, opened(file, lease_seconds=0.4) as survivor:
        engine = Engine(store, max_runs=9, bounds=Bounds(size=9999, ahead=9999))
        source = ScriptedSource()
        log = await engine.start(info(), None, source)
        log.follow(nothing)
        await until(lambda: log.length == 1)
        read = await read_in(survivor)
        age(file, asleep.worker, 600)
        await until(lambda: read.closed)
        log.append([b"late"])
        await until(lambda: log.closed)
        assert everything(log) == everything(read) == stored(file)
        assert everything(log)[1:] == [obituary(info())]
        assert (source.stops, source.run.ended, engine.live(log)) == (1, True, None)
        new = ScriptedSource()
        await engine.start(info("new"), None, new)
        await write(new.run.log, [b"2"])
        new.run.finish("stop")


async def test_an_owner_that_is_late_looks_for_itself_whether_it_was_taken_for_dead(file: Path) -> None:
    """The model may say nothing for a long time, and until then there is no append that could be refused."""
    asleep = Slow(file)
    async with opened(asleep, lease_seconds=1) as store, opened(file, lease_seconds=0.4) as survivor:
        log, _ = await store.open(info())
        writer = Noted()
        log.write(writer)
        await write(log, [STARTED])
        read = await read_in(survivor)
        asleep.awake.clear()
        age(file, asleep.worker, 600)
        await until(lambda: read.closed)
        await until(lambda: asleep.missed > 0.5)
        asleep.awake.set()
        await until(lambda: log.closed)
        assert writer.lost == [Code.producer_lost]
        assert everything(log) == stored(file) == [STARTED, obituary(info())]


class Slow(SqliteBackend):
    """Renews nothing while it is not awake."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.awake = asyncio.Event()
        self.awake.set()
        self._renewed = time.monotonic()

    @property
    def missed(self) -> float:
        """Seconds since it last renewed."""
        return time.monotonic() - self._renewed

    async def renew(self, seconds: float, *, serving: bool) -> bool:
        await self.awake.wait()
        lost = await super().renew(seconds, serving=serving)
        self._renewed = time.monotonic()
        return lost


async def test_a_claim_whose_answer_was_lost_is_ended_and_waits_for_nobody(file: Path) -> None:
    async with opened(Deaf(file), lease_seconds=0.4) as store, opened(file) as other:
        with pytest.raises(Refusal) as refused:
            await store.open(info())
        assert refused.value.code is Code.store_unavailable
        read = await read_in(other)
        await until(lambda: read.closed)
        assert everything(read) == [obituary(info())]


async def test_a_claim_that_nobody_waits_for_any_more_is_ended_too(file: Path) -> None:
    async with opened(file, lease_seconds=0.4) as store, opened(file) as other:
        claiming = asyncio.create_task(store.open(info()))
        await asyncio.sleep(0)
        claiming.cancel()
        while await other.find(info().key) is None:
            pass
        read = await read_in(other)
        await until(lambda: read.closed)
        assert everything(read) == [obituary(info())]


@pytest.mark.parametrize("jump", [1e7, -1e7])
async def test_a_clock_that_is_set_ends_no_run(file: Path, jump: float) -> None:
    now = time.time()
    async with (
        opened(SqliteBackend(file, clock=lambda: now), lease_seconds=0.4) as one,
        opened(SqliteBackend(file, clock=lambda: now), lease_seconds=0.4) as other,
    ):
        written, _ = await one.open(info())
        await write(written, [STARTED])
        read = await read_in(other)
        now += jump
        await renewed(file)
        await write(written, [FINISHED], close=True)
        await until(lambda: read.closed)
        assert everything(read) == stored(file) == [STARTED, FINISHED]
        assert await one.find(written.key) is not None

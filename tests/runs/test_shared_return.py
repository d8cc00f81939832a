"""What was asleep, in trouble or emptied comes back: nobody is taken for dead, and no question is asked twice.

Time stands still unless a test moves it; only what the stores themselves measure is real.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from tokenwire.runs.backend import Orphan, Stored
from tokenwire.runs.lease import obituary
from tokenwire.runs.redis import RedisBackend
from tokenwire.runs.shared import SharedStore
from tokenwire.runs.sqlite import SqliteBackend

from .clock import ClockLoop
from .contract import until, write
from .record import FINISHED, STARTED, info
from .redis_server import RedisServer, redis_store
from .shared_stores import age, everything, opened, stored

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]

LEASE = 8.0
RENEWAL = LEASE / 8
NOTICE = 1.0
LONG = 1000 * LEASE
"""The lease of a process that does nothing by itself in a test's time."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


class Watched(SqliteBackend):
    """Counts its looks for what the dead have left, and stays in one while it is not awake."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.awake = asyncio.Event()
        self.awake.set()
        self.looks = 0

    async def orphans(self) -> Sequence[Orphan]:
        await self.awake.wait()
        found = await super().orphans()
        self.looks += 1
        return found


class Survivor:
    """Another process, which looks for what the dead have left when it is told to."""

    def __init__(self, backend: Watched, store: SharedStore, clock: ClockLoop) -> None:
        self._backend = backend
        self._store = store
        self._clock = clock

    async def look(self) -> list[bytes]:
        """Looks once, and returns the run as it is after that."""
        looks = self._backend.looks
        await self._clock.advance(RENEWAL)
        await until(lambda: self._backend.looks > looks)
        log = await self._store.find(info().key)  # whatever follows from the look is done before it
        assert log is not None
        return everything(log)


@asynccontextmanager
async def survivor(file: Path, clock: ClockLoop) -> AsyncIterator[Survivor]:
    backend = Watched(file)
    async with opened(backend, lease_seconds=LEASE) as store:
        yield Survivor(backend, store, clock)


async def test_a_process_that_was_asleep_is_known_again_before_it_begins_a_run(file: Path, clock: ClockLoop) -> None:
    asleep = Watched(file)
    async with opened(asleep, lease_seconds=LEASE) as store:
        asleep.awake.clear()
        await clock.advance(RENEWAL)
        await store.peers()  # it has renewed for the last time before this is answered
        await clock.advance(LEASE)
        age(file, asleep.worker, LEASE)
        log, created = await store.open(info())
        assert created
        await write(log, [STARTED])
        async with survivor(file, clock) as other:
            assert [await other.look() for _ in range(3)] == [[STARTED]] * 3
        await write(log, [FINISHED], close=True)
        assert stored(file) == [STARTED, FINISHED]


async def test_a_process_that_was_in_trouble_is_known_again_before_it_begins_a_run(
    file: Path, clock: ClockLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write that tells it that the store is back is no registration."""
    monkeypatch.setattr("tokenwire.runs.sqlite_file.BUSY_SECONDS", 0.02)
    troubled = SqliteBackend(file)
    async with opened(troubled, lease_seconds=LONG, patience=LONG) as store:
        before, _ = await store.open(info("before"))
        with closing(sqlite3.connect(file, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            before.append([FINISHED])
            before.close()
            await until(lambda: store._away_since is not None)
            lock.execute("UPDATE workers SET until = 0")
            lock.execute("COMMIT")
        await clock.advance(NOTICE)
        await until(lambda: before.closed)
        log, created = await store.open(info())
        assert created
        await write(log, [STARTED])
        async with survivor(file, clock) as other:
            assert [await other.look() for _ in range(3)] == [[STARTED]] * 3
        await write(log, [FINISHED], close=True)
        assert stored(file) == [STARTED, FINISHED]


async def test_a_lease_that_is_over_for_a_moment_ends_no_run(file: Path, clock: ClockLoop) -> None:
    """A clock that was set expires the leases of the living too, until they renew them."""
    living = SqliteBackend(file)
    async with opened(living, lease_seconds=LONG) as store, survivor(file, clock) as other:
        log, _ = await store.open(info())
        await write(log, [STARTED])
        for _ in range(2):
            age(file, living.worker, LONG)
            assert await other.look() == [STARTED]
            await living.renew(LONG, serving=True)
            assert await other.look() == [STARTED]
        await write(log, [FINISHED], close=True)
        assert stored(file) == [STARTED, FINISHED]


async def test_a_lease_that_stays_over_ends_the_run_at_the_second_look(file: Path, clock: ClockLoop) -> None:
    dead = SqliteBackend(file)
    async with opened(dead, lease_seconds=LONG) as store, survivor(file, clock) as other:
        log, _ = await store.open(info())
        await write(log, [STARTED])
        age(file, dead.worker, LONG)
        assert [await other.look() for _ in range(2)] == [[STARTED], [STARTED, obituary(info())]]


class Asked(RedisBackend):
    """Counts what it was asked for in vain."""

    misses = 0

    async def load(self, key: str, after: int) -> Stored | None:
        found = await super().load(key, after)
        self.misses += found is None
        return found


@asynccontextmanager
async def started(backend: Asked) -> AsyncIterator[SharedStore]:
    store = SharedStore(backend, lease_seconds=LEASE)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


async def test_what_another_process_has_yet_to_restore_is_waited_for(
    server: RedisServer, clock: ClockLoop, caplog: pytest.LogCaptureFixture
) -> None:
    """A resume would end in a 404, and the same question would be asked a second time."""
    asked = Asked(server.url)
    async with redis_store(server.url, lease_seconds=LONG) as here, started(asked) as there:
        written, _ = await here.open(info())
        await write(written, [STARTED])
        with server.client() as client:
            client.flushall()
        await clock.advance(RENEWAL)
        await until(lambda: "the store has lost everything" in caplog.text)
        repeated = asyncio.create_task(there.open(info()))
        new = asyncio.create_task(there.open(info("new")))
        resumed = asyncio.create_task(there.find(written.key))
        unknown = asyncio.create_task(there.find("nobody's"))
        await until(lambda: asked.misses > 0)
        await clock.advance(RENEWAL + NOTICE - 0.1)
        assert not any(task.done() for task in (repeated, new, resumed, unknown))
        await write(written, [b"2"])
        await clock.advance(0.1)
        log, created = await repeated
        assert (created, everything(log)) == (False, [STARTED, b"2"])
        assert await resumed is log
        assert await unknown is None
        _, created = await new
        assert created

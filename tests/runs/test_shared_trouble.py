"""A store that is locked or full: new runs are refused, those under way wait, and everything heals."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tokenwire.errors import Code, Refusal
from tokenwire.runs.engine import Engine
from tokenwire.runs.lease import obituary
from tokenwire.runs.log import Log
from tokenwire.runs.mirror import MirrorLog
from tokenwire.runs.run import Bounds
from tokenwire.runs.shared import SharedStore
from tokenwire.runs.sqlite import SqliteBackend

from .contract import until, write
from .record import FINISHED, STARTED, info
from .shared_stores import Noted, everything, opened, stored
from .source import ScriptedSource

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


class Cramped(SqliteBackend):
    """A file that can be full, and that is not waited for while it is locked."""

    def _connect(self) -> sqlite3.Connection:
        db = super()._connect()
        db.execute("PRAGMA busy_timeout = 20")
        return db

    async def may_grow(self, pages: int | None) -> None:
        """Sets how many pages more it may have; ``None`` for any number."""

        def limit(db: sqlite3.Connection) -> None:
            (now,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {2**30 if pages is None else now + pages}")

        await self._thread.do(limit)


class Trouble:
    """A way for a store to be away, and back."""

    def __init__(self, file: Path, backend: Cramped, kind: str) -> None:
        self._other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._backend = backend
        self._kind = kind

    async def begin(self) -> None:
        if self._kind == "locked":
            self._other.execute("BEGIN EXCLUSIVE")
        else:
            await self._backend.may_grow(0)

    async def end(self) -> None:
        if self._kind == "locked":
            self._other.execute("COMMIT")
        else:
            await self._backend.may_grow(None)

    def close(self) -> None:
        self._other.close()


@pytest.fixture(params=["locked", "full"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backend(file: Path) -> Cramped:
    return Cramped(file)


@pytest.fixture
async def trouble(file: Path, backend: Cramped, kind: str) -> AsyncIterator[Trouble]:
    with closing(Trouble(file, backend, kind)) as trouble:
        yield trouble


LARGE = [b"x" * 8000] * 40
"""More than fits into what a file has room for."""


async def ended(store: SharedStore, log: Log) -> MirrorLog:
    """A log as the store has it, once it is closed there."""
    while True:
        try:
            kept = await store.find(log.key)
        except Refusal:
            kept = None
        if kept is not None and kept.closed:
            return kept
        await asyncio.sleep(0)


async def test_a_run_under_way_waits_for_its_store_and_loses_nothing(backend: Cramped, trouble: Trouble) -> None:
    async with opened(backend) as store:
        engine = Engine(store, max_runs=9, bounds=Bounds(size=10_000_000, ahead=10_000_000))
        source = ScriptedSource()
        log = await engine.start(info(), None, source)
        await until(lambda: log.length == 1)
        await trouble.begin()
        log.append(LARGE)
        assert (source.pauses, source.resumes) == (1, 0)
        await until(lambda: store._away_since is not None)
        assert log.length == 1
        with pytest.raises(Refusal) as refusal:
            await store.open(info("r2"))
        assert refusal.value.code is Code.store_unavailable
        await trouble.end()
        await until(lambda: log.length == 1 + len(LARGE))
        assert (source.pauses, source.resumes, source.stops) == (1, 1, 0)
        source.run.finish("stop")
        await until(lambda: log.closed)
        assert everything(log)[1:-1] == LARGE


async def test_a_run_that_has_waited_too_long_is_given_up_and_everything_heals(
    backend: Cramped, trouble: Trouble
) -> None:
    async with opened(backend, lease_seconds=0.8, patience=0.3) as store:
        engine = Engine(store, max_runs=9, bounds=Bounds(size=10_000_000, ahead=10_000_000))
        source = ScriptedSource()
        log = await engine.start(info(), None, source)
        woken = []
        log.follow(lambda: woken.append(log.failure))
        await until(lambda: log.length == 1)
        await trouble.begin()
        log.append(LARGE)
        await until(lambda: log.failure is not None)
        assert log.failure is not None
        assert log.failure.code is Code.store_unavailable
        assert (source.stops, log.closed, woken[-1]) == (1, False, log.failure)
        assert engine.live(log) is None
        await trouble.end()
        kept = await ended(store, log)
        _, *said, last = everything(kept)
        assert last == obituary(info())
        assert said in ([], LARGE)  # what was on its way when it was given up may have come to the store all the same
        new = ScriptedSource()
        assert not (await engine.start(info("new"), None, new)).closed
        new.run.finish("stop")
        await until(lambda: new.run.log.closed)


class Separate(Cramped):
    """Renews at moments of its own, never together with a write that fails; or not at all while it is not awake."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.awake = asyncio.Event()
        self.awake.set()
        self.renewals = 0

    async def renew(self, seconds: float, *, serving: bool) -> bool:
        await self.awake.wait()
        await asyncio.sleep(0.05)
        lost = await super().renew(seconds, serving=serving)
        self.renewals += 1
        return lost


async def test_a_lease_that_can_be_renewed_is_no_sign_of_room(file: Path) -> None:
    """What is small fits into a full file for long: the patience is with the answers."""
    backend = Separate(file)
    async with opened(backend, lease_seconds=0.2, patience=1) as store:
        log, _ = await store.open(info())
        writer = Noted()
        log.write(writer)
        await write(log, [STARTED])
        await backend.may_grow(0)
        log.append(LARGE)
        await until(lambda: writer.lost == [Code.store_unavailable])


async def test_runs_that_all_waited_for_the_same_store_are_not_taken_for_dead(file: Path) -> None:
    """Nobody could renew while the file was locked: the first to come back may not judge the others."""
    first, last = Separate(file), Separate(file)
    async with opened(first, lease_seconds=1), opened(last, lease_seconds=1) as other:
        log, _ = await other.open(info())
        await write(log, [STARTED])
        with closing(sqlite3.connect(file, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            last.awake.clear()
            (until_when,) = lock.execute("SELECT max(until) FROM workers").fetchone()
            await until(lambda: time.monotonic() >= until_when)
            lock.execute("COMMIT")
        renewals = first.renewals
        await until(lambda: first.renewals >= renewals + 2)
        last.awake.set()
        await write(log, [FINISHED], close=True)
        assert stored(file) == [STARTED, FINISHED]

"""Several processes on one store, as several stores on one SQLite file."""

import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from tokenwire.errors import Code, Failure
from tokenwire.runs.backend import Stored, StoreTrouble
from tokenwire.runs.log import Log, RunInfo
from tokenwire.runs.mirror import MirrorLog
from tokenwire.runs.shared import SharedStore
from tokenwire.runs.sqlite import SqliteBackend

from .contract import until
from .record import info


@asynccontextmanager
async def opened(
    backend: SqliteBackend | Path, *, lease_seconds: float = 10, patience: float = 10
) -> AsyncIterator[SharedStore]:
    """A store that was started, and is closed in the end."""
    if isinstance(backend, Path):
        backend = SqliteBackend(backend)
    store = SharedStore(backend, lease_seconds=lease_seconds, patience=patience)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


class Deaf(SqliteBackend):
    """Loses the answer of its first claim."""

    lost = False

    async def claim(self, info: RunInfo) -> Stored:
        answer = await super().claim(info)
        if not self.lost:
            self.lost = True
            raise StoreTrouble("the answer was lost")
        return answer


class Noted:
    """A writer that notes what its store says."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.lost: list[Code] = []
        self.ends: list[str] = []

    def cancel(self) -> None:
        self.cancelled += 1

    def lose(self, failure: Failure) -> None:
        self.lost.append(failure.code)

    def hold(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def concluded(self, *, lost: bool) -> None:
        self.ends.append("lost" if lost else "kept")


def nothing() -> None:
    """A reader who only has to be there."""


def everything(log: Log) -> list[bytes]:
    return list(log.read(0, log.length))


def age(file: Path, worker: str, seconds: float) -> None:
    """Lets a process's registration be so much older."""
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE workers SET until = until - ? WHERE name = ?", (seconds, worker))


async def renewed(file: Path) -> None:
    """Returns when every lease that there is now has been renewed, or is over."""
    with closing(sqlite3.connect(file)) as db:
        (last,) = db.execute("SELECT max(until) FROM workers").fetchone()
        await until(lambda: not db.execute("SELECT 1 FROM workers WHERE until <= ?", (last,)).fetchone())
        await until(lambda: time.monotonic() >= last)


def stored(file: Path, run_id: str = "run") -> list[bytes]:
    """The records of a run as the file has them."""
    with closing(sqlite3.connect(file)) as db:
        rows = db.execute(
            "SELECT payload FROM records, runs WHERE run = id AND run_id = ? ORDER BY seq", (run_id,)
        ).fetchall()
    return [payload for (payload,) in rows]


async def read_in(store: SharedStore, run_id: str = "run") -> MirrorLog:
    """The log of a run that another store writes, as one that reads it sees it."""
    log = await store.find(info(run_id).key)
    assert log is not None
    log.follow(nothing)
    return log

"""The one thread that works on an SQLite file, and tells what other processes did to it."""

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from .backend import Listener, StoreTrouble

logger = logging.getLogger("tokenwire.runs")

_FOLLOW_SECONDS = 0.02
"""How often the file is looked at while a log that another process writes is followed …"""
_CANCEL_SECONDS = 0.1
"""… and while logs are written here, which another process may want to end."""

_T = TypeVar("_T")
_Work = Callable[[sqlite3.Connection], Any]


class _Job(NamedTuple):
    work: _Work
    done: "asyncio.Future[Any]"


class _Signal(Enum):
    look = "look"
    end = "end"


class SqliteThread:
    """Does jobs in transactions. Whatever has come in while one transaction was under way is the next one."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], worker: str, listener: Listener) -> None:
        self._connect = connect
        self._worker = worker
        self._listener = listener
        self._jobs: SimpleQueue[_Job | _Signal] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="tokenwire sqlite", daemon=True)
        self._stopped = False
        self._ended = False
        self._seen = -1
        self._looked = 0.0
        self._followed: dict[str, int] = {}
        self.writing: dict[str, None] = {}
        """The keys of the logs that are written here: as long as there are any, cancels are looked for."""

    async def start(self) -> None:
        """Opens the file. Raises :class:`StoreTrouble`."""
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._thread.start()
        try:
            await self._opened
        except StoreTrouble:
            self._stopped = True
            raise

    async def do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Runs a job within a transaction. Raises :class:`StoreTrouble`; nothing of its batch was done then."""
        if self._stopped:
            raise StoreTrouble("the store is closed")
        done: asyncio.Future[_T] = self._loop.create_future()
        self._jobs.put(_Job(work, done))
        return await done

    def follow(self, key: str, after: int) -> None:
        """Looks for records of that log from now on."""
        self._followed[key] = after
        self.look()

    def unfollow(self, key: str) -> None:
        """Stops that."""
        self._followed.pop(key, None)

    def look(self) -> None:
        """Looks soon, whether anybody else has written or not."""
        self._seen = -1
        self._jobs.put(_Signal.look)

    async def close(self, last: _Work) -> None:
        """Does one last job and closes the file. Closing twice is closing once."""
        if not self._stopped:
            self._stopped = True
            done: asyncio.Future[Any] = self._loop.create_future()
            self._jobs.put(_Job(last, done))
            self._jobs.put(_Signal.end)
            await asyncio.gather(done, return_exceptions=True)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            self._db = self._connect()
        except (sqlite3.Error, OSError, StoreTrouble) as error:
            self._tell(_fail, self._opened, StoreTrouble(str(error)))
            return
        self._tell(_resolve, self._opened, None)
        try:
            while (jobs := self._next()) is not None:
                self._transact(jobs)
                try:
                    self._look_around()
                except sqlite3.Error as error:
                    logger.warning("the store could not be read: %s", error)
                    self._seen = -1
        finally:
            self._db.close()

    def _next(self) -> list[_Job] | None:
        """The jobs that are there, perhaps none when it is time to look; ``None`` at the end."""
        if self._ended:
            return None
        jobs = []
        try:
            job = self._jobs.get(timeout=self._pause())
            while True:
                if isinstance(job, _Job):
                    jobs.append(job)
                elif job is _Signal.end:
                    self._ended = True
                job = self._jobs.get_nowait()
        except Empty:
            pass
        return jobs

    def _pause(self) -> float | None:
        if self._followed:
            return _FOLLOW_SECONDS
        return _CANCEL_SECONDS if self.writing else None

    def _transact(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                results = [job.work(self._db) for job in jobs]
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except Exception as error:  # noqa: BLE001 - each of them is somebody's answer
            self._tell(_fail_all, jobs, StoreTrouble(f"{type(error).__name__}: {error}"))
        else:
            self._tell(_resolve_all, jobs, results)

    def _look_around(self) -> None:
        """Tells what other processes have done, if they have done anything."""
        now = time.monotonic()
        if now - self._looked < _FOLLOW_SECONDS and self._seen != -1:
            return
        self._looked = now
        if not (self._followed or self.writing):
            return
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version == self._seen:
            return
        self._seen = version
        for key, after in tuple(self._followed.items()):
            self._read_on(key, after)
        if self.writing:
            asked = self._db.execute(
                "SELECT key FROM runs WHERE closed_at IS NULL AND worker = ? AND cancel", (self._worker,)
            )
            for (key,) in asked:
                self._tell(self._listener.cancel_asked, key)

    def _read_on(self, key: str, after: int) -> None:
        self._db.execute("BEGIN")  # the two reads are of one moment
        try:
            row = self._db.execute("SELECT id, length, closed_at FROM runs WHERE key = ?", (key,)).fetchone()
            if row is None or (row[1] <= after and row[2] is None):
                return
            records = self._db.execute(
                "SELECT payload FROM records WHERE run = ? AND seq > ? ORDER BY seq", (row[0], after)
            ).fetchall()
        finally:
            self._db.execute("COMMIT")
        if key in self._followed:
            self._followed[key] = after + len(records)
        self._tell(self._listener.grown, key, after, [payload for (payload,) in records], row[2] is not None)

    def _tell(self, callback: Callable[..., object], *values: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: there is nobody left to tell
            self._loop.call_soon_threadsafe(callback, *values)


def _resolve(future: "asyncio.Future[_T]", result: _T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: StoreTrouble) -> None:
    if not future.done():
        future.set_exception(error)


def _resolve_all(jobs: list[_Job], results: list[Any]) -> None:
    for job, result in zip(jobs, results, strict=True):
        _resolve(job.done, result)


def _fail_all(jobs: list[_Job], error: StoreTrouble) -> None:
    for job in jobs:
        _fail(job.done, error)

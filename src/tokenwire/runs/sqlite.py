"""Logs in an SQLite file: they survive the process, and every process on this machine that opens the file shares them.

One thread for each process does all of the work (:mod:`.sqlite_thread`). A commit is in the page cache when it is
delivered (WAL, ``synchronous=NORMAL``): it survives the death of every process, but not always that of the machine.
"""

import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from .backend import Append, Fate, Listener, Orphan, Stored, Written
from .lease import Lease, worker_name
from .log import RunInfo
from .sqlite_file import VERSION, open_file, version
from .sqlite_thread import SqliteThread

KEEP_BYTES = 1024 * 1024 * 1024

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    principal TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    wire TEXT NOT NULL,
    trace TEXT NOT NULL DEFAULT '',
    worker TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 1,
    length INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    cancel INTEGER NOT NULL DEFAULT 0,
    attended_until REAL NOT NULL DEFAULT 0,
    closed_at REAL
);
CREATE INDEX IF NOT EXISTS runs_by_end ON runs (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS runs_open ON runs (worker) WHERE closed_at IS NULL;
CREATE TABLE IF NOT EXISTS records (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS workers (
    name TEXT PRIMARY KEY,
    boot TEXT NOT NULL,
    until REAL NOT NULL,
    serving INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (bytes INTEGER NOT NULL);
INSERT INTO kept SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM kept);
"""
_FROM_VERSION_1 = "ALTER TABLE runs ADD COLUMN trace TEXT NOT NULL DEFAULT ''"
_DROP_BYTES = 16 * 1024 * 1024
"""What is deleted at once: some tenths of a second."""
_RUN = "id, key, principal, thread_id, run_id, wire, trace, worker, epoch, length, closed_at"
_FOOTPRINT = "size + 80 * length + 650"
_OLDEST = f"SELECT id, closed_at, {_FOOTPRINT} FROM runs WHERE closed_at IS NOT NULL ORDER BY closed_at, id LIMIT 1"  # noqa: S608


class _Run(NamedTuple):
    id: int
    key: str
    principal: str
    thread_id: str
    run_id: str
    wire: str
    trace: str
    worker: str
    epoch: int
    length: int
    closed_at: float | None

    @property
    def info(self) -> RunInfo:
        return RunInfo(self.principal, self.thread_id, self.run_id, self.wire, self.trace)

    @property
    def lease(self) -> Lease:
        return Lease(self.worker, self.epoch, "")


class SqliteBackend:
    """See :class:`tokenwire.runs.backend.Backend`.

    :param keep_seconds: how long a closed log is kept, by :param:`clock`.
    :param keep_bytes: fewer of them are when together they outgrow it.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_seconds: float = 300,
        keep_bytes: int = KEEP_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.worker = worker_name()
        self._path = path
        self._keep_seconds = keep_seconds
        self._keep_bytes = keep_bytes
        self._clock = clock
        # leases are measured by a clock that nobody sets; it is the same in every process until the machine restarts
        self._boot = _boot_id()

    async def start(self, listener: Listener) -> None:
        self._thread = SqliteThread(self._connect, self.worker, listener)
        await self._thread.start()

    async def claim(self, info: RunInfo) -> Stored:
        key = info.key

        def claim(db: sqlite3.Connection) -> Stored:
            self._drop(db)
            known = self._run(db, key)
            if known is not None and not self._expired(known):
                return self._stored(db, known, 0)
            if known is not None:
                self._forget(db, known.id)
            db.execute(
                "INSERT INTO runs (key, principal, thread_id, run_id, wire, trace, worker) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, info.principal, info.thread_id, info.run_id, info.wire, info.trace, self.worker),
            )
            return Stored(info, Lease(self.worker, 1, ""), [], closed=False)

        stored = await self._thread.do(claim)
        if stored.lease.worker == self.worker and not stored.closed:
            self._thread.writing[key] = None
            self._thread.look()
        return stored

    async def load(self, key: str, after: int) -> Stored | None:
        return await self._thread.do(lambda db: self._load(db, key, after))

    async def write(self, appends: Sequence[Append]) -> Sequence[Written]:
        return await self._thread.do(lambda db: [self._append(db, append) for append in appends])

    def follow(self, key: str, after: int) -> None:
        self._thread.follow(key, after)

    def unfollow(self, key: str) -> None:
        self._thread.unfollow(key)

    async def cancel(self, key: str) -> None:
        def cancel(db: sqlite3.Connection) -> None:
            db.execute("UPDATE runs SET cancel = 1 WHERE key = ? AND closed_at IS NULL", (key,))

        await self._thread.do(cancel)

    async def attend(self, keys: Collection[str], seconds: float) -> None:
        until = time.monotonic() + seconds

        def attend(db: sqlite3.Connection) -> None:
            db.executemany("UPDATE runs SET attended_until = ? WHERE key = ?", [(until, key) for key in keys])

        await self._thread.do(attend)

    async def attended(self, key: str) -> bool:
        def attended(db: sqlite3.Connection) -> bool:
            row = db.execute("SELECT attended_until FROM runs WHERE key = ?", (key,)).fetchone()
            return row is not None and row[0] > time.monotonic()

        return await self._thread.do(attended)

    async def renew(self, seconds: float, *, serving: bool) -> bool:
        def renew(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR REPLACE INTO workers VALUES (?, ?, ?, ?)",
                (self.worker, self._boot, time.monotonic() + seconds, serving),
            )
            self._drop(db)

        await self._thread.do(renew)
        return False

    async def peers(self) -> int:
        def peers(db: sqlite3.Connection) -> int:
            (count,) = db.execute(
                "SELECT count(*) FROM workers WHERE name <> ? AND serving AND boot = ? AND until > ?",
                (self.worker, self._boot, time.monotonic()),
            ).fetchone()
            return int(count)

        return await self._thread.do(peers)

    async def orphans(self) -> Sequence[Orphan]:
        def orphans(db: sqlite3.Connection) -> list[Orphan]:
            db.execute("DELETE FROM workers WHERE boot <> ? OR until <= ?", (self._boot, time.monotonic()))
            rows = db.execute(
                f"SELECT {_RUN} FROM runs WHERE closed_at IS NULL "  # noqa: S608
                "AND (worker = ? OR worker NOT IN (SELECT name FROM workers))",
                (self.worker,),
            )
            return [Orphan(run.info, run.key, run.lease) for run in map(_Run._make, rows)]

        return await self._thread.do(orphans)

    async def bury(self, orphan: Orphan, payload: bytes) -> bool:
        def bury(db: sqlite3.Connection) -> bool:
            run = self._own(db, orphan.key, orphan.lease)
            if run is None:
                return False
            db.execute("UPDATE runs SET epoch = epoch + 1 WHERE id = ?", (run.id,))
            self._extend(db, run, [payload])
            self._end(db, run.id)
            return True

        buried = await self._thread.do(bury)
        self._thread.writing.pop(orphan.key, None)
        self._thread.look()
        return buried

    async def close(self) -> None:
        def leave(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM workers WHERE name = ?", (self.worker,))

        await self._thread.close(leave)

    # in the thread, within a transaction

    def _connect(self) -> sqlite3.Connection:
        db = open_file(self._path)
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA journal_size_limit = 67108864")
            db.execute("BEGIN IMMEDIATE")
            if version(db) == 1:
                db.execute(_FROM_VERSION_1)
                db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute("COMMIT")
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _load(self, db: sqlite3.Connection, key: str, after: int) -> Stored | None:
        run = self._run(db, key)
        if run is None or self._expired(run):
            return None
        return self._stored(db, run, after)

    def _stored(self, db: sqlite3.Connection, run: _Run, after: int) -> Stored:
        records = db.execute("SELECT payload FROM records WHERE run = ? AND seq > ? ORDER BY seq", (run.id, after))
        return Stored(run.info, run.lease, [payload for (payload,) in records], run.closed_at is not None)

    def _run(self, db: sqlite3.Connection, key: str) -> _Run | None:
        row = db.execute(f"SELECT {_RUN} FROM runs WHERE key = ?", (key,)).fetchone()  # noqa: S608
        return None if row is None else _Run._make(row)

    def _own(self, db: sqlite3.Connection, key: str, lease: Lease) -> _Run | None:
        row = db.execute(
            f"SELECT {_RUN} FROM runs WHERE key = ? AND worker = ? AND epoch = ? AND closed_at IS NULL",  # noqa: S608
            (key, lease.worker, lease.epoch),
        ).fetchone()
        return None if row is None else _Run._make(row)

    def _append(self, db: sqlite3.Connection, append: Append) -> Written:
        run = self._own(db, append.key, append.lease)
        if run is None:
            self._thread.writing.pop(append.key, None)
            return Written(Fate.fenced, 0)
        if run.length < append.after:
            return Written(Fate.behind, run.length)
        length = self._extend(db, run, append.payloads[run.length - append.after :])
        if append.close:
            self._end(db, run.id)
            self._thread.writing.pop(append.key, None)
        return Written(Fate.kept, length)

    def _extend(self, db: sqlite3.Connection, run: _Run, payloads: Sequence[bytes]) -> int:
        length = run.length + len(payloads)
        if payloads:
            numbered = enumerate(payloads, run.length + 1)
            db.executemany(
                "INSERT INTO records VALUES (?, ?, ?)", [(run.id, seq, payload) for seq, payload in numbered]
            )
            size = sum(map(len, payloads))
            db.execute("UPDATE runs SET length = ?, size = size + ? WHERE id = ?", (length, size, run.id))
        return length

    def _end(self, db: sqlite3.Connection, run: int) -> None:
        db.execute("UPDATE runs SET closed_at = ? WHERE id = ?", (self._clock(), run))
        db.execute(f"UPDATE kept SET bytes = bytes + (SELECT {_FOOTPRINT} FROM runs WHERE id = ?)", (run,))  # noqa: S608
        self._drop(db)

    def _drop(self, db: sqlite3.Connection) -> None:
        """Deletes closed logs, oldest first, as far as they are too old or together too large.

        A great many of them in several steps: nobody else can write meanwhile.
        """
        expired = self._clock() - self._keep_seconds
        (before,) = db.execute("SELECT bytes FROM kept").fetchone()
        kept = before
        while before - kept < _DROP_BYTES and (oldest := db.execute(_OLDEST).fetchone()):
            run, closed_at, size = oldest
            if closed_at > expired and kept <= self._keep_bytes:
                break
            self._forget(db, run)
            kept -= size

    def _expired(self, run: _Run) -> bool:
        """Whether it is as good as deleted."""
        return run.closed_at is not None and run.closed_at <= self._clock() - self._keep_seconds

    def _forget(self, db: sqlite3.Connection, run: int) -> None:
        db.execute(f"UPDATE kept SET bytes = bytes - (SELECT {_FOOTPRINT} FROM runs WHERE id = ?)", (run,))  # noqa: S608
        db.execute("DELETE FROM runs WHERE id = ?", (run,))


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""

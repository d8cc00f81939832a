"""Accounts in an SQLite file: every process on this machine that opens the file shares them."""

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from ..runs.backend import StoreTrouble
from .claim import Budget, Claim, Rate, Slot, Verdict
from .contract import KEEP_ENTRIES, AccountsAway, Selection
from .entry import Entry
from .gcra import Flow
from .sqlite_file import SqliteFile
from .tally import SWEEP_EVERY, Tally

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rates (
    key TEXT PRIMARY KEY,
    level REAL NOT NULL,
    at REAL NOT NULL,
    until REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS slots (
    key TEXT NOT NULL,
    holder TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (key, holder)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS budgets (
    key TEXT PRIMARY KEY,
    spent INTEGER NOT NULL,
    until REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger (
    id INTEGER PRIMARY KEY,
    principal TEXT NOT NULL,
    run_id TEXT NOT NULL,
    key TEXT,
    model TEXT NOT NULL,
    started REAL NOT NULL,
    entry BLOB NOT NULL,
    UNIQUE (principal, run_id)
);
"""
_PAGE = 500
"""How many entries are read at once."""
_SELECTED = """
SELECT id, entry FROM ledger
WHERE id > :after
  AND (:principal IS NULL OR principal = :principal)
  AND (:key IS NULL OR key = :key)
  AND (:model IS NULL OR model = :model)
  AND (:since IS NULL OR started >= :since)
  AND (:until IS NULL OR started < :until)
ORDER BY id LIMIT :page
"""

_T = TypeVar("_T")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


class SqliteAccounts:
    """See :class:`.contract.Accounts`.

    :param keep: how many entries of the ledger are kept.
    """

    def __init__(self, path: Path, *, keep: int = KEEP_ENTRIES, clock: Callable[[], float] = time.time) -> None:
        self._file = SqliteFile(path, _SCHEMA)
        self._keep = keep
        self._clock = clock
        self._takes = 0

    async def start(self) -> None:
        """See :class:`.contract.Accounts`."""
        await self._read(lambda _: None)

    async def take(self, claims: Sequence[Claim]) -> Verdict:
        """See :class:`.contract.Accounts`."""
        sweeps = self._takes % SWEEP_EVERY == 0
        self._takes += 1

        def take(tally: _SqliteTally) -> Verdict:
            now = self._clock()
            if sweeps:
                tally.sweep(now)
            return tally.take(claims, now)

        return await self._change(take)

    async def settle(self, amounts: Sequence[Rate | Budget]) -> None:
        """See :class:`.contract.Accounts`."""
        await self._change(lambda tally: tally.settle(amounts, self._clock()))

    async def renew(self, slots: Sequence[Slot]) -> None:
        """See :class:`.contract.Accounts`."""
        await self._change(lambda tally: tally.renew(slots, self._clock()))

    async def release(self, slots: Sequence[Slot]) -> None:
        """See :class:`.contract.Accounts`."""
        await self._change(lambda tally: tally.release(slots))

    async def write(self, entry: Entry) -> None:
        """See :class:`.contract.Accounts`."""
        await self._change(lambda tally: tally.write(entry, self._keep))

    async def entries(self, selection: Selection) -> AsyncIterator[Entry]:
        """See :class:`.contract.Accounts`."""
        wanted = {**selection._asdict(), "after": 0, "page": _PAGE}
        while page := await self._read(lambda db: db.execute(_SELECTED, wanted).fetchall()):
            for _, entry in page:
                yield _decode(entry)
            wanted["after"] = page[-1][0]

    async def close(self) -> None:
        """See :class:`.contract.Accounts`."""
        await self._file.close()

    async def _read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return await self._file.read(work)
        except StoreTrouble as trouble:
            raise AccountsAway(str(trouble)) from None

    async def _change(self, work: Callable[["_SqliteTally"], _T]) -> _T:
        try:
            return await self._file.write(lambda db: work(_SqliteTally(db)))
        except StoreTrouble as trouble:
            raise AccountsAway(str(trouble)) from None


class _SqliteTally(Tally):
    """In the file's thread, within a transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def flow(self, key: str) -> Flow | None:
        row = self._db.execute("SELECT level, at FROM rates WHERE key = ?", (key,)).fetchone()
        return None if row is None else Flow._make(row)

    def keep_flow(self, key: str, flow: Flow, until: float) -> None:
        self._db.execute("INSERT OR REPLACE INTO rates VALUES (?, ?, ?, ?)", (key, *flow, until))

    def holders(self, key: str) -> Mapping[str, float]:
        return dict(self._db.execute("SELECT holder, until FROM slots WHERE key = ?", (key,)).fetchall())

    def hold(self, key: str, holder: str, until: float) -> None:
        self._db.execute("INSERT OR REPLACE INTO slots VALUES (?, ?, ?)", (key, holder, until))

    def let_go(self, key: str, holder: str) -> None:
        self._db.execute("DELETE FROM slots WHERE key = ? AND holder = ?", (key, holder))

    def spent(self, key: str) -> int:
        row = self._db.execute("SELECT spent FROM budgets WHERE key = ?", (key,)).fetchone()
        return 0 if row is None else row[0]

    def keep_spent(self, key: str, amount: int, until: float) -> None:
        self._db.execute("INSERT OR REPLACE INTO budgets VALUES (?, ?, ?)", (key, amount, until))

    def sweep(self, now: float) -> None:
        """Forgets what no longer limits anybody."""
        for table in ("rates", "slots", "budgets"):
            self._db.execute(f"DELETE FROM {table} WHERE until <= ?", (now,))  # noqa: S608

    def write(self, entry: Entry, keep: int) -> None:
        """Adds a row to the ledger, unless the run has one, and drops the oldest of too many."""
        self._db.execute(
            "INSERT OR IGNORE INTO ledger (principal, run_id, key, model, started, entry) VALUES (?, ?, ?, ?, ?, ?)",
            (entry.principal, entry.run_id, entry.key, entry.model_asked, entry.started, _encode(entry)),
        )
        self._db.execute("DELETE FROM ledger WHERE id <= (SELECT max(id) FROM ledger) - ?", (keep,))

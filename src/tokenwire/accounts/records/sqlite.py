"""Records in an SQLite file: every process on this machine that opens the file shares them."""

import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ...runs.backend import StoreTrouble
from ..sqlite_file import SqliteFile
from .contract import RecordsAway

_SCHEMA = """
CREATE TABLE IF NOT EXISTS named (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    until REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS named_by_end ON named (until) WHERE until IS NOT NULL;
"""

_T = TypeVar("_T")


class SqliteRecords:
    """See :class:`.contract.Records`."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._file = SqliteFile(path, _SCHEMA)
        self._clock = clock

    async def start(self) -> None:
        """See :class:`.contract.Records`."""
        await _reached(self._file.read(lambda _: None))

    async def put(self, name: str, value: bytes, expires_in: float | None = None) -> None:
        """See :class:`.contract.Records`."""

        def put(db: sqlite3.Connection) -> None:
            now = self._clock()
            db.execute("DELETE FROM named WHERE until <= ?", (now,))
            until = None if expires_in is None else now + expires_in
            db.execute("INSERT OR REPLACE INTO named VALUES (?, ?, ?)", (name, value, until))

        await _reached(self._file.write(put))

    async def get(self, name: str) -> bytes | None:
        """See :class:`.contract.Records`."""
        return await _reached(self._file.read(lambda db: self._live(db, name)))

    async def take(self, name: str) -> bytes | None:
        """See :class:`.contract.Records`."""

        def take(db: sqlite3.Connection) -> bytes | None:
            value = self._live(db, name)
            db.execute("DELETE FROM named WHERE name = ?", (name,))
            return value

        return await _reached(self._file.write(take))

    async def delete(self, name: str) -> None:
        """See :class:`.contract.Records`."""

        def delete(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM named WHERE name = ?", (name,))

        await _reached(self._file.write(delete))

    async def list(self, prefix: str) -> Mapping[str, bytes]:
        """See :class:`.contract.Records`."""

        def select(db: sqlite3.Connection) -> list[Any]:
            return db.execute(
                "SELECT name, value FROM named WHERE name >= ? AND (until IS NULL OR until > ?) ORDER BY name",
                (prefix, self._clock()),
            ).fetchall()

        rows = await _reached(self._file.read(select))
        return {name: value for name, value in rows if name.startswith(prefix)}

    async def close(self) -> None:
        """See :class:`.contract.Records`."""
        await self._file.close()

    def _live(self, db: sqlite3.Connection, name: str) -> bytes | None:
        row = db.execute(
            "SELECT value FROM named WHERE name = ? AND (until IS NULL OR until > ?)", (name, self._clock())
        ).fetchone()
        return None if row is None else row[0]


async def _reached(answer: Awaitable[_T]) -> _T:
    try:
        return await answer
    except StoreTrouble as trouble:
        raise RecordsAway(str(trouble)) from None

"""An SQLite file that several processes share, and the one thread that works on it here.

It is the file of the runs' store (:mod:`tokenwire.runs.sqlite`), with other tables and over another connection: what
is asked here never waits behind an answer's records.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ..runs.backend import StoreTrouble
from ..runs.sqlite_file import open_file

_SECONDS = 4.0
"""How long an answer is waited for, with everything that was asked before it."""

_T = TypeVar("_T")


class SqliteFile:
    """Opened when something is asked of it, and again after every trouble, which is a :class:`StoreTrouble`.

    :param schema: statements that make what is missing.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._schema = schema
        self._thread = ThreadPoolExecutor(1, "tokenwire accounts")
        self._db: sqlite3.Connection | None = None
        self._closed = False

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """What that reads, all of it of one moment."""
        return await self._do("BEGIN", work)

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Does it, while nobody else writes, as a whole or not at all."""
        return await self._do("BEGIN IMMEDIATE", work)

    async def close(self) -> None:
        """Lets the file go. Closing twice is closing once."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
            self._thread.shutdown()

    async def _do(self, begin: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        if self._closed:
            raise StoreTrouble("the store is closed")
        try:
            async with asyncio.timeout(_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, begin, work)
        except TimeoutError:
            raise StoreTrouble(f"no answer within {_SECONDS:g} s") from None

    # in the thread

    def _transact(self, begin: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            if self._db is None:
                self._db = self._open()
            self._db.execute(begin)
            result = work(self._db)
            self._db.execute("COMMIT")
        except BaseException as error:
            self._let_go()
            if isinstance(error, sqlite3.Error | OSError):
                raise StoreTrouble(f"{type(error).__name__}: {error}") from None
            raise
        return result

    def _let_go(self) -> None:
        """With a transaction that was not committed, that is undone."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _open(self) -> sqlite3.Connection:
        db = open_file(self._path)
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(f"BEGIN IMMEDIATE; {self._schema} COMMIT")
        except BaseException:
            db.close()
            raise
        return db

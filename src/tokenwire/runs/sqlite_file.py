"""The SQLite file that everything of a server that lasts is in, opened the same way by whoever works on it."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from .backend import StoreTrouble

VERSION = 2
"""The format of the runs' tables. What else is in the file is the same in all of them."""
BUSY_SECONDS = 2.0
"""How long another process's transaction is waited for."""
_OPEN_SECONDS = 10.0
"""How long a switch is tried that SQLite does not wait for: servers that start together are all about to make it."""
_SWITCH_SECONDS = 0.01
"""How often."""


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to the file, which is made where there is none; it has its write-ahead log, and autocommits.

    Raises :class:`StoreTrouble` for a file in a format that is not known here, and what sqlite3 and the system raise.
    """
    if path.is_dir():
        raise StoreTrouble("it is a directory")
    # made here, because it holds who asked for what, and is nobody else's business; but never opened where it is there:
    # to close it would end every lock that this process has on it (fcntl, POSIX), and with them the write-ahead log
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        if version(db) not in range(VERSION + 1):
            raise StoreTrouble(f"it was written by another version of tokenwire (format {version(db)})")
        _switch_to_wal(db)
    except BaseException:
        db.close()
        raise
    return db


def version(db: sqlite3.Connection) -> int:
    """The format that the file is in; 0 of a new one."""
    (number,) = db.execute("PRAGMA user_version").fetchone()
    return int(number)


def _switch_to_wal(db: sqlite3.Connection) -> None:
    give_up = time.monotonic() + _OPEN_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # where another process is just writing, this fails without having waited for it
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= give_up:
                raise
        time.sleep(_SWITCH_SECONDS)

"""The SQLite file: who may read it, who may share it, and what is no such file."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tokenwire.runs.backend import StoreTrouble
from tokenwire.runs.mirror import MirrorLog
from tokenwire.runs.shared import SharedStore
from tokenwire.runs.sqlite import SqliteBackend
from tokenwire.runs.sqlite_file import open_file
from tokenwire.runs.sqlite_thread import SqliteThread

from .contract import until, write
from .record import FINISHED, STARTED, info

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


async def start(file: Path, *, keep_seconds: float = 300, keep_bytes: int = 1_000_000) -> SharedStore:
    # renewed so seldom that nothing but the test writes
    store = SharedStore(SqliteBackend(file, keep_seconds=keep_seconds, keep_bytes=keep_bytes), lease_seconds=600)
    await store.start()
    return store


def content(file: Path) -> bytes:
    return file.read_bytes()


def write_letter(file: Path) -> None:
    file.write_text("A letter to a friend, and none to any program. " * 100)


async def test_nobody_else_may_read_the_conversations(file: Path) -> None:
    store = await start(file)
    log, _ = await store.open(info())
    await write(log, [STARTED])
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in file.parent.iterdir()}
    assert modes == dict.fromkeys(["runs.db", "runs.db-wal", "runs.db-shm"], "0o600")
    await store.close()


async def test_a_finished_log_survives_the_process(file: Path) -> None:
    store = await start(file)
    log, _ = await store.open(info())
    await write(log, [STARTED, b"2", FINISHED], close=True)
    await store.close()
    store = await start(file)
    again, created = await store.open(info())
    assert not created
    assert (again.info, again.closed) == (info(), True)
    assert list(again.read(0, 10)) == [STARTED, b"2", FINISHED]
    await store.close()


async def test_a_file_of_another_format_is_left_alone(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")
    before = content(file)
    with pytest.raises(StoreTrouble, match=r"another version of tokenwire \(format 99\)"):
        await start(file)
    assert content(file) == before


async def test_what_is_no_database_is_left_alone(file: Path) -> None:
    write_letter(file)
    before = content(file)
    with pytest.raises(StoreTrouble, match="not a database"):
        await start(file)
    assert content(file) == before


async def test_a_place_where_no_file_can_be(file: Path) -> None:
    for nowhere in (file.parent, file / "below"):
        with pytest.raises(StoreTrouble, match="directory"):
            await start(nowhere)


async def test_processes_that_start_at_once_make_one_file(file: Path) -> None:
    stores = await asyncio.gather(*(start(file) for _ in range(8)))
    assert [await store.peers() for store in stores] == [7] * 8
    for store in stores:
        await store.close()


class Refused(sqlite3.Connection):
    """Tells when the file was found locked."""

    noticed = threading.Event()

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        try:
            return super().execute(sql, parameters)
        except sqlite3.OperationalError:
            self.noticed.set()
            raise


async def test_a_new_file_that_another_process_is_making_is_waited_for(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite does not wait by itself to switch a file to WAL while another process writes it."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Refused))
        starting = asyncio.create_task(start(file))
        await until(Refused.noticed.is_set)
        other.execute("COMMIT")
        await (await starting).close()


async def test_a_new_file_that_stays_locked_is_given_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenwire.runs.sqlite_file.BUSY_SECONDS", 0.05)
    monkeypatch.setattr("tokenwire.runs.sqlite_file._OPEN_SECONDS", 0.05)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreTrouble, match="locked"):
            await start(file)


async def test_a_look_that_failed_is_taken_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written in the meantime would otherwise wait for whatever is written next."""
    read_on = SqliteThread._read_on
    failures = 0

    def fails_once(thread: SqliteThread, key: str, after: int) -> None:
        nonlocal failures
        if not failures:
            failures += 1
            raise sqlite3.OperationalError("disk I/O error")
        read_on(thread, key, after)

    here, there = await start(file), await start(file)
    written, _ = await here.open(info())
    await write(written, [STARTED])
    read = await there.find(written.key)
    assert read is not None
    read.follow(lambda: None)
    await write(written, [b"2"])
    await until(lambda: read.length == 2)
    monkeypatch.setattr(SqliteThread, "_read_on", fails_once)
    await write(written, [b"3"])
    await until(lambda: read.length == 3)
    assert failures == 1
    monkeypatch.undo()
    for store in (here, there):
        await store.close()


async def test_what_is_kept_is_counted_over_a_restart(file: Path) -> None:
    for run_id in ("a", "b"):
        store = await start(file, keep_bytes=100_000)
        log, _ = await store.open(info(run_id))
        await write(log, [b"x" * 40_000, FINISHED], close=True)
        await store.close()
    store = await start(file, keep_bytes=100_000)
    log, _ = await store.open(info("c"))
    await write(log, [b"x" * 40_000, FINISHED], close=True)
    kept = [await store.find(info(run_id).key) is not None for run_id in "abc"]
    assert kept == [False, True, True]
    await store.close()


async def test_a_great_many_expired_logs_are_deleted_in_steps_and_are_gone_at_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction for all of them would keep every other process waiting."""
    monkeypatch.setattr("tokenwire.runs.sqlite._DROP_BYTES", 4000)
    store = await start(file)
    names = [f"r{number}" for number in range(20)]
    for run_id in names:
        log, _ = await store.open(info(run_id))
        await write(log, [b"x" * 1000, FINISHED], close=True)
    await store.close()
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE runs SET closed_at = 1")
    store = await start(file)
    with closing(sqlite3.connect(file)) as db:
        (left,) = db.execute("SELECT count(*) FROM runs").fetchone()
        assert 10 < left < 20
        assert await store.find(info(names[-1]).key) is None
        again, created = await store.open(info(names[-1]))
        assert (again.length, created) == (0, True)
        await write(again, [FINISHED], close=True)
        for number in range(10):
            log, _ = await store.open(info(f"new{number}"))
            await write(log, [FINISHED], close=True)
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (11,)
        assert db.execute("SELECT bytes FROM kept").fetchone() == (11 * (len(FINISHED) + 80 + 650),)
    await store.close()


async def test_thousands_of_finished_runs_grow_neither_the_file_nor_the_process(file: Path) -> None:
    store = await start(file, keep_bytes=200_000)

    async def finish(run_id: str) -> None:
        log, _ = await store.open(info(run_id))
        ended = asyncio.Event()
        log.follow(ended.set)
        log.append([STARTED, b"x" * 300, FINISHED])
        log.close()
        await ended.wait()  # hundreds that look again and again would keep the store's thread from its work
        assert log.closed

    sizes = []
    for part in range(6):
        await asyncio.gather(*(finish(f"{part}-{number}") for number in range(400)))
        sizes.append(len(content(file)))
    with closing(sqlite3.connect(file)) as db:
        assert 0 < db.execute("SELECT count(*) FROM runs").fetchone()[0] < 200
        assert db.execute("SELECT count(*) FROM records").fetchone()[0] < 600
    assert len(store._logs) + len(store._written) + len(store._claiming) < 20
    assert sizes[-1] < 4 * sizes[0] + 1_000_000
    await store.close()


async def test_a_log_that_nobody_holds_is_not_held_by_the_store(file: Path) -> None:
    store = await start(file)
    log: MirrorLog | None
    log, _ = await store.open(info())
    await write(log, [STARTED, FINISHED], close=True)
    del log
    await until(lambda: len(store._logs) == 0)
    log = await store.find(info().key)
    assert log is not None
    assert log.length == 2
    await store.close()


_LOOK_IN = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(db.execute("SELECT count(*) FROM notes").fetchone()[0])
db.close()
"""


def test_a_process_that_looks_in_takes_no_log_from_under_two_connections_of_another(tmp_path: Path) -> None:
    """SQLite's locks are the process's: whatever closes the file anew would end those of its other connections."""
    file = tmp_path / "runs.db"
    with closing(open_file(file)) as first:
        first.execute("CREATE TABLE notes (text TEXT)")
        with closing(open_file(file)):
            for number in range(3):
                first.execute("INSERT INTO notes VALUES ('one more')")
                command = [sys.executable, "-c", _LOOK_IN, str(file)]
                seen = subprocess.run(command, capture_output=True, text=True, check=True)
                assert seen.stdout == f"{number + 1}\n"

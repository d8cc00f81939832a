"""The store is timed, and keeps a run's place in its trace."""

import sqlite3
from pathlib import Path

import pytest

from tokenwire.observe.store import TimedBackend
from tokenwire.runs.backend import StoreTrouble
from tokenwire.runs.log import RunInfo
from tokenwire.runs.shared import SharedStore
from tokenwire.runs.sqlite import SqliteBackend

PLACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RUN = RunInfo("alice", "t", "r", "rais", PLACE)


@pytest.mark.anyio
async def test_what_somebody_waits_for_is_timed(tmp_path: Path) -> None:
    told: list[str] = []
    backend = TimedBackend(SqliteBackend(tmp_path / "runs.db"), lambda operation, _: told.append(operation))
    store = SharedStore(backend)
    await store.start()
    log, _ = await store.open(RUN)
    log.append([b"{}"])
    log.close()
    assert await store.find("nobody's") is None
    await store.close()
    assert {"claim", "load", "write"} <= set(told)


@pytest.mark.anyio
async def test_also_where_it_fails(tmp_path: Path) -> None:
    told: list[str] = []
    backend = TimedBackend(SqliteBackend(tmp_path), lambda operation, _: told.append(operation))
    with pytest.raises(StoreTrouble):
        await SharedStore(backend).start()
    with pytest.raises(StoreTrouble):
        await backend.load("any", 0)
    assert told == ["load"]


@pytest.mark.anyio
async def test_a_file_of_the_version_before_is_taken_on(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    for upgraded in (False, True):
        store = SharedStore(SqliteBackend(path))
        await store.start()
        log, created = await store.open(RunInfo("alice", "t", f"r-{upgraded}", "rais", PLACE if upgraded else ""))
        assert created
        log.append([b"{}"])
        log.close()
        await store.close()
        if not upgraded:
            with sqlite3.connect(path) as db:
                db.executescript("ALTER TABLE runs DROP COLUMN trace; PRAGMA user_version = 1")
            db.close()
    store = SharedStore(SqliteBackend(path))
    await store.start()
    places = []
    for run in ("r-False", "r-True"):
        found = await store.find(RunInfo("alice", "t", run, "rais").key)
        assert found is not None
        places.append(found.info.trace)
    await store.close()
    assert places == ["", PLACE]

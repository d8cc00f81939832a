"""Runs that lose their process or their store: lost, told once over all processes, by whoever wrote the end."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tokenwire.errors import Refusal
from tokenwire.runs.backend import Append, Orphan, StoreTrouble, Written
from tokenwire.runs.engine import Engine
from tokenwire.runs.redis import RedisBackend
from tokenwire.runs.run import Bounds
from tokenwire.runs.shared import SharedStore
from tokenwire.runs.sqlite import SqliteBackend

from .contract import until
from .record import info, said
from .redis_server import RedisServer
from .shared_stores import Deaf, age, opened, read_in
from .source import ScriptedSource
from .witness import Witness

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def process(store: SharedStore) -> tuple[Engine, Witness]:
    """The engine of one process, and what it tells."""
    witness = Witness()
    return Engine(store, max_runs=9, bounds=Bounds(size=9999, ahead=9999), observer=witness), witness


async def test_a_dead_process_is_told_of_by_one_of_those_that_live(file: Path) -> None:
    dead = SqliteBackend(file)
    async with (
        opened(dead, lease_seconds=600) as store,
        opened(file, lease_seconds=0.4) as one,
        opened(file, lease_seconds=0.4) as another,
    ):
        engine, of_the_dead = process(store)
        (_, first), (_, second) = process(one), process(another)
        source = ScriptedSource()
        log = await engine.start(info(), None, source)
        source.run.emit([said("so far")])
        await until(lambda: log.length == 2)
        reads = [await read_in(survivor) for survivor in (one, another)]
        age(file, dead.worker, 600)
        await until(lambda: all(read.closed for read in reads))
        source.run.finish("stop")  # it was only asleep: its store takes nothing more
        await until(lambda: log.closed)
        await engine.close()
        (outcome,) = first.outcomes + second.outcomes + of_the_dead.outcomes
        assert not of_the_dead.outcomes
        assert (outcome.kind, outcome.code, outcome.run) == ("lost", "producer_lost", info())
        assert (outcome.started, outcome.model) == (None, None)
        assert await outcome.text() == "so far"


async def test_a_run_that_never_began_has_no_outcome(file: Path) -> None:
    """Its claim was not answered: nobody was told that it had begun."""
    async with opened(Deaf(file), lease_seconds=0.4) as store, opened(file, lease_seconds=0.4) as other:
        engine, witness = process(store)
        with pytest.raises(Refusal):
            await engine.start(info(), None, ScriptedSource())
        read = await read_in(other)
        await until(lambda: read.closed)
        assert witness.outcomes == []


class Unwilling(SqliteBackend):
    """A store that takes nothing, and perhaps ends nothing, while it is away."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.away = False
        self.forgetful = False

    async def write(self, appends: Sequence[Append]) -> Sequence[Written]:
        if self.forgetful:
            await super().write(appends)
        if self.away or self.forgetful:
            raise StoreTrouble("away")
        return await super().write(appends)

    async def orphans(self) -> Sequence[Orphan]:
        if self.away or self.forgetful:
            raise StoreTrouble("away")
        return await super().orphans()


async def test_a_run_given_up_is_told_of_when_its_end_can_be_written(file: Path) -> None:
    backend = Unwilling(file)
    async with opened(backend, lease_seconds=0.4, patience=0.2) as store, opened(file) as other:
        engine, witness = process(store)
        source = ScriptedSource()
        log = await engine.start(info(), None, source)
        await until(lambda: log.length == 1)
        backend.away = True
        source.run.emit([said("lost")])
        await until(lambda: log.failure is not None)
        assert witness.outcomes == []
        backend.away = False
        read = await read_in(other)
        await until(lambda: read.closed)
        await until(lambda: bool(witness.outcomes))
        await engine.close()
        assert witness.kinds == ["lost"]


async def test_a_run_given_up_that_another_process_ended_is_its_to_tell(file: Path) -> None:
    backend = Unwilling(file)
    async with opened(backend, lease_seconds=600, patience=0.2) as store, opened(file, lease_seconds=0.4) as other:
        (engine, witness), (_, elsewhere) = process(store), process(other)
        source = ScriptedSource()
        log = await engine.start(info(), None, source)
        await until(lambda: log.length == 1)
        backend.away = True
        source.run.emit([said("lost")])
        await until(lambda: log.failure is not None)
        age(file, backend.worker, 600)
        await until(lambda: bool(elsewhere.outcomes))
        backend.away = False
        await store._reaper.look(may_judge=True)
        await engine.close()
        assert (witness.kinds, elsewhere.kinds) == ([], ["lost"])


async def test_an_end_whose_answer_was_lost_is_the_end_that_is_told(file: Path) -> None:
    backend = Unwilling(file)
    async with opened(backend, lease_seconds=0.4, patience=0.2) as store:
        engine, witness = process(store)
        source = ScriptedSource()
        log = await engine.start(info(), None, source)
        await until(lambda: log.length == 1)
        backend.forgetful = True
        source.run.finish("stop")
        await until(lambda: log.failure is not None)
        backend.forgetful = False
        await until(lambda: bool(witness.outcomes))
        await engine.close()
        assert witness.kinds == ["finished"]


async def test_a_store_that_is_gone_for_good_loses_each_run_once(file: Path) -> None:
    backend = Unwilling(file)
    async with opened(backend, lease_seconds=0.4, patience=0.2) as store:
        engine, witness = process(store)
        given_up, under_way = ScriptedSource(), ScriptedSource()
        log = await engine.start(info("given up"), None, given_up)
        await engine.start(info("under way"), None, under_way)
        await until(lambda: log.length == 1)
        backend.away = True
        given_up.run.emit([said("a")])
        await until(lambda: log.failure is not None)
        await engine.close()
        assert sorted((outcome.run.run_id, outcome.kind) for outcome in witness.outcomes) == [
            ("given up", "lost"),
            ("under way", "lost"),
        ]


class Forgetful(RedisBackend):
    """Loses the answer of its first burial."""

    lost = False

    async def bury(self, orphan: Orphan, payload: bytes) -> bool:
        answer = await super().bury(orphan, payload)
        if not self.lost:
            self.lost = True
            raise StoreTrouble("the answer was lost")
        return answer


async def test_a_burial_whose_answer_was_lost_is_told_once(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        dead, living = RedisBackend(server.url), Forgetful(server.url)
        asleep, survivor = SharedStore(dead, lease_seconds=600), SharedStore(living, lease_seconds=0.4)
        await asleep.start()
        await survivor.start()
        (engine, of_the_dead), (_, witness) = process(asleep), process(survivor)
        source = ScriptedSource()
        log = await engine.start(info(), None, source)
        await until(lambda: log.length == 1)
        read = await read_in(survivor)
        server.age(600)
        await until(lambda: bool(witness.outcomes))
        source.run.emit([said("late")])
        await until(lambda: log.closed)
        await engine.close()
        await survivor.close()
        assert living.lost
        assert read.closed
        assert (of_the_dead.kinds, witness.kinds) == ([], ["lost"])


async def test_a_store_that_lost_everything_loses_what_was_given_up(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        store = SharedStore(RedisBackend(server.url), lease_seconds=0.4, patience=0.2)
        await store.start()
        engine, witness = process(store)
        source = ScriptedSource()
        log = await engine.start(info(), None, source)
        await until(lambda: log.length == 1)
        server.kill()
        source.run.emit([said("lost")])
        await until(lambda: log.failure is not None)
        assert witness.outcomes == []
        server.start()
        await until(lambda: bool(witness.outcomes))
        await engine.close()
        assert witness.kinds == ["lost"]

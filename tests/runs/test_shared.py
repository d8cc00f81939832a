"""Two processes on one store: what one writes the other reads, follows and stops."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tokenwire.errors import Code, Refusal
from tokenwire.runs.engine import Engine
from tokenwire.runs.mirror import MirrorLog
from tokenwire.runs.run import Bounds
from tokenwire.runs.shared import SharedStore
from tokenwire.runs.sqlite import SqliteBackend

from .contract import until, write
from .record import FINISHED, STARTED, info
from .shared_stores import Deaf, Noted, everything, nothing, opened, read_in
from .source import ScriptedSource

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
async def here(file: Path) -> AsyncIterator[SharedStore]:
    async with opened(file) as store:
        yield store


@pytest.fixture
async def there(file: Path) -> AsyncIterator[SharedStore]:
    async with opened(file) as store:
        yield store


async def test_a_run_is_joined_at_every_index_and_followed_to_its_end(here: SharedStore, file: Path) -> None:
    written, _ = await here.open(info())
    records = [STARTED, *(b"%d" % number for number in range(6)), FINISHED]
    async with AsyncExitStack() as stack:
        joined: list[MirrorLog] = []
        for number, record in enumerate(records[:-1], 1):
            await write(written, [record])
            joined.append(await read_in(await stack.enter_async_context(opened(file))))
            assert everything(joined[-1]) == records[:number]
            await until(lambda number=number: all(log.length == number for log in joined))  # type: ignore[misc]
        await write(written, records[-1:], close=True)
        await until(lambda: all(log.closed for log in joined))
        assert all(everything(log) == records for log in joined)


async def test_what_its_reader_has_seen_elsewhere_is_found_here_at_once(here: SharedStore, there: SharedStore) -> None:
    """An offset from another process may be ahead of what is known here, followed or not."""
    written, _ = await here.open(info())
    await write(written, [STARTED])
    read = await there.find(written.key)
    assert read is not None
    for followed in (False, True):
        if followed:
            read.follow(nothing)
        await write(written, [b"more", b"and more"])
        assert await there.find(written.key) is read
        assert read.length == written.length
        assert everything(read) == everything(written)


async def test_a_repeated_question_attaches_to_the_run_of_the_other_process(
    here: SharedStore, there: SharedStore
) -> None:
    written, created = await here.open(info())
    assert created
    read, created = await there.open(info())
    assert not created
    await write(written, [STARTED, FINISHED], close=True)
    again, created = await there.open(info())
    assert (again is read, created) == (True, False)
    assert everything(again) == [STARTED, FINISHED]


async def test_of_two_processes_asked_at_once_one_makes_the_run(here: SharedStore, there: SharedStore) -> None:
    for number in range(20):
        asked = info(f"r{number}")
        opened_at = await asyncio.gather(here.open(asked), there.open(asked))
        assert [created for _, created in opened_at].count(True) == 1


async def test_a_log_is_followed_again_after_everybody_had_left_it(here: SharedStore, there: SharedStore) -> None:
    written, _ = await here.open(info())
    await write(written, [STARTED])
    read = await read_in(there)
    read.unfollow(nothing)
    await write(written, [b"2"])
    read.follow(nothing)
    await until(lambda: read.length == 2)
    await write(written, [FINISHED], close=True)
    await until(lambda: read.closed)


async def test_a_cancel_reaches_the_writer_and_nobody_else(here: SharedStore, there: SharedStore) -> None:
    writers = {}
    for run_id in ("mine", "other", "ended"):
        log, _ = await here.open(info(run_id))
        writers[run_id] = Noted()
        log.write(writers[run_id])
        await write(log, [STARTED], close=run_id == "ended")
    await there.cancel(info("ended").key)
    await there.cancel("nobody's")
    await there.cancel(info("mine").key)
    await until(lambda: writers["mine"].cancelled >= 1)
    assert (writers["other"].cancelled, writers["ended"].cancelled) == (0, 0)


async def test_a_late_cancel_from_elsewhere_does_not_touch_a_newer_run(here: SharedStore, there: SharedStore) -> None:
    engine, elsewhere = (Engine(store, max_runs=9, bounds=Bounds(size=9999, ahead=9999)) for store in (here, there))
    old, new = ScriptedSource(), ScriptedSource()
    await engine.start(info("old"), None, old)
    await engine.start(info("new"), None, new)
    assert await elsewhere.cancel("alice", "old") is True
    await until(lambda: old.stops == 1)
    await until(lambda: old.run.log.closed)
    assert await elsewhere.cancel("alice", "old") is False
    assert await engine.cancel("alice", "old") is False
    with pytest.raises(Refusal) as refused:
        await elsewhere.cancel("bob", "new")
    assert refused.value.code is Code.unknown_run
    await write(new.run.log, [b"goes on"])
    assert (new.stops, new.run.ended) == (0, False)
    new.run.finish("stop")


async def test_a_run_that_is_read_elsewhere_is_not_abandoned_before_nobody_reads_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenwire.runs.shared._ATTEND_EVERY", 0.05)
    monkeypatch.setattr("tokenwire.runs.shared._ATTEND_SECONDS", 0.6)
    async with opened(file) as here, opened(file) as there:
        answers: list[bool] = []
        attended = here.attended

        async def noted(key: str) -> bool:
            answers.append(await attended(key))
            return answers[-1]

        monkeypatch.setattr(here, "attended", noted)
        engine = Engine(here, max_runs=9, bounds=Bounds(size=9999, ahead=9999))
        source = ScriptedSource()
        log = await engine.start(info(), 0, source)
        await until(lambda: log.length == 1)
        read = await read_in(there)
        while not await attended(log.key):
            pass
        source.run.audience.join()
        source.run.audience.leave()
        await until(lambda: len(answers) == 2)
        assert (answers, source.stops) == ([True, True], 0)
        read.unfollow(nothing)
        await until(lambda: source.stops == 1)
        await until(lambda: log.closed)
        assert b'"abandoned"' in everything(log)[-1]


async def test_whoever_begins_to_read_is_known_of_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenwire.runs.shared._ATTEND_EVERY", 600)
    async with opened(file) as here, opened(file) as there:
        written, _ = await here.open(info())
        assert not await here.attended(written.key)
        await read_in(there)
        while not await here.attended(written.key):
            pass


async def test_a_process_about_to_stop_is_no_peer_and_neither_is_one_that_has(
    here: SharedStore, there: SharedStore, file: Path
) -> None:
    assert (await here.peers(), await there.peers()) == (1, 1)
    await there.retire()
    assert (await here.peers(), await there.peers()) == (0, 1)
    async with opened(file):
        assert (await here.peers(), await there.peers()) == (1, 2)
    assert (await here.peers(), await there.peers()) == (0, 1)


def worked_on(backends: Sequence[SqliteBackend]) -> int:
    """How many logs the stores still look for cancels of."""
    return sum(len(backend._thread.writing) for backend in backends)


async def test_no_log_is_watched_over_after_its_end(file: Path) -> None:
    """A store that kept them would look at its file for ever, and grow with each run."""
    backends = [Deaf(file), SqliteBackend(file)]
    async with opened(backends[0], lease_seconds=0.4) as one, opened(backends[1]) as other:
        with pytest.raises(Refusal):
            await one.open(info("lost"))
        lost = await read_in(other, "lost")
        await until(lambda: lost.closed)
        while True:
            try:
                log, _ = await one.open(info())
            except Refusal:
                continue
            break
        await write(log, [STARTED, FINISHED], close=True)
        del log
        for store in (one, other):
            await store.open(info())
        await until(lambda: worked_on(backends) == 0)

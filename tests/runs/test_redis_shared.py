"""Two processes on one Redis, as two stores: what one writes the other reads, cancels and, when it must, ends."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tokenwire.errors import Code
from tokenwire.runs.lease import obituary
from tokenwire.runs.shared import SharedStore

from .contract import until, write
from .record import FINISHED, STARTED, info
from .redis_server import RedisServer, redis_store
from .shared_stores import Noted, nothing

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(shared_server: RedisServer) -> RedisServer:
    with shared_server.client() as client:
        client.flushall()
    return shared_server


@pytest.fixture
async def here(server: RedisServer) -> AsyncIterator[SharedStore]:
    async with redis_store(f"{server.url}?client_name=here") as store:
        yield store


@pytest.fixture
async def there(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SharedStore]:
    # a read that nothing ends lasts longer than any test
    monkeypatch.setattr("tokenwire.runs.redis_follower._BLOCK_SECONDS", 600)
    async with redis_store(f"{server.url}?client_name=there") as store:
        yield store


async def test_a_log_is_joined_in_the_middle_and_followed_to_its_end(here: SharedStore, there: SharedStore) -> None:
    written, _ = await here.open(info())
    await write(written, [STARTED, b"2"])
    read, created = await there.open(info())
    assert not created
    assert list(read.read(0, 10)) == [STARTED, b"2"]
    read.follow(nothing)
    await write(written, [b"3"])
    await until(lambda: read.length == 3)
    assert not read.closed
    await write(written, [b"4", FINISHED], close=True)
    await until(lambda: read.closed)
    assert list(read.read(0, 10)) == [STARTED, b"2", b"3", b"4", FINISHED]


async def test_a_log_that_grew_between_the_look_and_the_follow_misses_nothing(
    here: SharedStore, there: SharedStore
) -> None:
    written, _ = await here.open(info())
    await write(written, [STARTED])
    read = await there.find(written.key)
    assert read is not None
    await write(written, [b"2"])
    read.follow(nothing)
    await until(lambda: read.length == 2)


async def test_a_log_that_is_closed_before_anybody_follows_ends_for_who_does(
    here: SharedStore, there: SharedStore
) -> None:
    written, _ = await here.open(info())
    await write(written, [STARTED])
    read = await there.find(written.key)
    assert read is not None
    await write(written, [FINISHED], close=True)
    read.follow(nothing)
    await until(lambda: read.closed)
    assert list(read.read(0, 10)) == [STARTED, FINISHED]


async def test_two_hundred_followed_logs_cost_no_connection(
    here: SharedStore, there: SharedStore, server: RedisServer
) -> None:
    pairs = []
    for number in range(200):
        written, _ = await here.open(info(f"r{number}"))
        read = await there.find(written.key)
        assert read is not None
        read.follow(nothing)
        pairs.append((written, read))
    for written, _ in pairs:
        written.append([written.key.encode()])
        written.close()
    await until(lambda: all(read.closed for _, read in pairs))
    assert all(list(read.read(0, 10)) == [read.key.encode()] for _, read in pairs)
    with server.client() as client:
        names = [line["name"] for line in client.client_list()]
    assert 0 < names.count("there") <= 3
    assert 0 < names.count("here") <= 3


async def test_a_log_that_is_no_longer_followed_is_told_nothing(here: SharedStore, there: SharedStore) -> None:
    logs = []
    for run_id in ("left", "kept"):
        written, _ = await here.open(info(run_id))
        read = await there.find(written.key)
        assert read is not None
        read.follow(nothing)
        logs.append((written, read))
    (left, left_read), (kept, kept_read) = logs
    left_read.unfollow(nothing)
    await write(left, [b"1"])
    await write(kept, [b"1"])
    await until(lambda: kept_read.length == 1)
    assert left_read.length == 0


async def test_a_cancel_reaches_the_writer_wherever_it_is(here: SharedStore, there: SharedStore) -> None:
    writers = {}
    for run_id in ("mine", "other", "ended"):
        log, _ = await here.open(info(run_id))
        writers[run_id] = Noted()
        log.write(writers[run_id])
        await write(log, [STARTED], close=run_id == "ended")
    await there.cancel(info("ended").key)
    await there.cancel(info("mine").key)
    await until(lambda: writers["mine"].cancelled == 1)
    await here.cancel(info("mine").key)
    await until(lambda: writers["mine"].cancelled == 2)
    assert (writers["other"].cancelled, writers["ended"].cancelled) == (0, 0)
    await there.cancel("nobody's")


async def test_a_reader_elsewhere_is_known_of(here: SharedStore, there: SharedStore) -> None:
    written, _ = await here.open(info())
    assert not await here.attended(written.key)
    read = await there.find(written.key)
    assert read is not None
    read.follow(nothing)
    while not await here.attended(written.key):
        pass


async def test_a_process_about_to_stop_is_no_peer(here: SharedStore, there: SharedStore) -> None:
    assert (await here.peers(), await there.peers()) == (1, 1)
    await there.retire()
    assert (await here.peers(), await there.peers()) == (0, 1)


async def test_the_log_of_a_dead_process_is_ended_once_for_every_reader(server: RedisServer) -> None:
    async with (
        redis_store(server.url, lease_seconds=600) as dead,
        redis_store(server.url, lease_seconds=0.4) as reader,
        redis_store(server.url, lease_seconds=0.4) as another,
    ):
        written, _ = await dead.open(info())
        await write(written, [STARTED, b"2"])
        reads = [await store.find(written.key) for store in (reader, another)]
        for read in reads:
            assert read is not None
            read.follow(nothing)
        server.age(601)
        await until(lambda: all(read is not None and read.closed for read in reads))
        for read in reads:
            assert read is not None
            assert list(read.read(0, 10)) == [STARTED, b"2", obituary(info())]


async def test_an_owner_that_slept_writes_nothing_and_shows_what_the_store_has(server: RedisServer) -> None:
    async with (
        redis_store(server.url, lease_seconds=600) as asleep,
        redis_store(server.url, lease_seconds=0.4) as other,
    ):
        written, _ = await asleep.open(info())
        writer = Noted()
        written.write(writer)
        await write(written, [STARTED])
        read = await other.find(written.key)
        assert read is not None
        read.follow(nothing)
        server.age(601)
        await until(lambda: read.closed)
        written.append([b"late"])
        await until(lambda: written.closed)
        assert writer.lost == [Code.producer_lost]
        assert list(written.read(0, 10)) == list(read.read(0, 10)) == [STARTED, obituary(info())]
        found = await other.find(written.key)
        assert found is read


async def test_what_the_store_has_lost_for_good_is_not_waited_for(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenwire.runs.redis_follower._AUDIT_SECONDS", 0.05)
    async with redis_store(server.url) as here, redis_store(server.url) as there:
        reads = []
        for run_id in ("gone", "shorter", "open"):
            written, _ = await here.open(info(run_id))
            await write(written, [STARTED, b"2", b"3"])
            read = await there.find(written.key)
            assert read is not None
            read.follow(nothing)
            reads.append(read)
        gone, shorter, still_open = reads
        with server.client() as client:
            client.delete(f"tokenwire:run:{gone.key}", f"tokenwire:log:{gone.key}")
            client.hset(f"tokenwire:run:{shorter.key}", "closed", 2)
        await until(lambda: gone.failure is not None and shorter.failure is not None)
        assert gone.failure is not None
        assert gone.failure.code is Code.store_unavailable
        assert still_open.failure is None

"""What all records promise (:mod:`tokenwire.accounts.records.contract`), wherever they are kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tokenwire.accounts.records.contract import Records
from tokenwire.accounts.records.memory import MemoryRecords
from tokenwire.accounts.records.redis import RedisRecords
from tokenwire.accounts.records.sqlite import SqliteRecords

from ..runs.redis_server import RedisServer
from .stores import KINDS, SHARED, Clock, Place

pytestmark = pytest.mark.anyio
everywhere = pytest.mark.parametrize("kind", KINDS)

Advance = Callable[[float], None]


def records_at(place: Place, clock: Clock) -> Records:
    if place.kind == "sqlite":
        return SqliteRecords(Path(place.where), clock=clock)
    return RedisRecords(place.where) if place.kind == "redis" else MemoryRecords(clock=clock)


@pytest.fixture
async def records(place: Place, clock: Clock) -> AsyncIterator[Records]:
    records = records_at(place, clock)
    await records.start()
    yield records
    await records.close()


@pytest.fixture
def advance(place: Place, clock: Clock, request: pytest.FixtureRequest) -> Advance:
    """Lets so much time pass for the store."""
    if place.kind != "redis":
        return clock.advance
    server: RedisServer = request.getfixturevalue("redis")
    return server.age


@everywhere
async def test_a_record_is_kept_replaced_and_deleted(records: Records) -> None:
    assert await records.get("key:a") is None
    await records.put("key:a", b"\x00one\xff")
    assert await records.get("key:a") == b"\x00one\xff"
    await records.put("key:a", b"")
    assert await records.get("key:a") == b""
    await records.delete("key:a")
    await records.delete("key:a")
    assert await records.get("key:a") is None


@everywhere
async def test_a_record_is_taken_once(records: Records) -> None:
    await records.put("ticket:1", b"alice", 30)
    await records.put("ticket:2", b"bob")
    taken = await asyncio.gather(*(records.take("ticket:1") for _ in range(10)))
    assert [value for value in taken if value is not None] == [b"alice"]
    assert await records.get("ticket:1") is None
    assert await records.list("") == {"ticket:2": b"bob"}


@everywhere
async def test_a_record_that_is_over_is_gone(records: Records, advance: Advance) -> None:
    await records.put("ticket:1", b"alice", 30)
    await records.put("ticket:2", b"bob", 90)
    await records.put("ticket:3", b"carol")
    advance(29)
    assert await records.get("ticket:1") == b"alice"
    advance(1)
    assert await records.get("ticket:1") is None
    assert await records.take("ticket:1") is None
    assert await records.list("ticket:") == {"ticket:2": b"bob", "ticket:3": b"carol"}
    advance(10_000_000)
    assert await records.list("") == {"ticket:3": b"carol"}


@everywhere
async def test_a_record_that_is_put_anew_has_a_new_end(records: Records, advance: Advance) -> None:
    await records.put("a", b"1", 30)
    await records.put("b", b"1")
    await records.put("a", b"2")
    await records.put("b", b"2", 30)
    advance(60)
    assert await records.list("") == {"a": b"2"}


@everywhere
async def test_records_are_listed_by_the_beginning_of_their_names(records: Records) -> None:
    for name in ("key:b", "key:a", "key:é", "key;", "keys", "ticket:%", "key:", "kez", "KEY:a"):
        await records.put(name, name.encode())
    assert list(await records.list("key:")) == ["key:", "key:a", "key:b", "key:é"]
    assert await records.list("ticket:%") == {"ticket:%": b"ticket:%"}
    assert await records.list("key:_") == {}
    assert len(await records.list("")) == 9


@pytest.mark.parametrize("kind", SHARED)
async def test_what_one_process_puts_another_has_at_once(records: Records, place: Place, clock: Clock) -> None:
    other = records_at(place, clock)
    await other.start()
    await records.put("key:a", b"1")
    assert await other.get("key:a") == b"1"
    await other.put("key:a", b"2")
    assert await records.list("key:") == {"key:a": b"2"}
    assert await other.take("key:a") == b"2"
    assert await records.take("key:a") is None
    await other.close()


@pytest.mark.parametrize("kind", ["redis"])
async def test_nothing_is_left_of_what_is_over(records: Records, redis: RedisServer) -> None:
    await records.put("gone", b"1", 0.001)
    while await records.get("gone") is not None:
        pass
    await records.put("next", b"2", 1000)
    with redis.client() as client:
        assert client.zrange("tokenwire:records", 0, -1) == ["next"]
        assert sorted(client.keys()) == ["tokenwire:record:next", "tokenwire:records"]

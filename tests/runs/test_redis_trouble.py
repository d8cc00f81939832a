"""The server restarts, forgets, is cut off or stays away: what was written is there once, or its end is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tokenwire.errors import Code, Refusal
from tokenwire.runs.lease import obituary
from tokenwire.runs.log import Log
from tokenwire.testing import ChaosProxy, Cut

from .contract import until, write
from .record import FINISHED, STARTED, info
from .redis_server import RedisServer, redis_store
from .shared_stores import Noted, nothing

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

_T = TypeVar("_T")
_TOKENS = [b"token %d" % number for number in range(20)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenwire.runs.shared._RETRY_SECONDS", 0.01)
    monkeypatch.setattr("tokenwire.runs.redis_follower._RETRY_SECONDS", 0.01)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
async def durable(tmp_path: Path) -> AsyncIterator[RedisServer]:
    with RedisServer(tmp_path, "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0") as server:
        yield server


def everything(log: Log) -> list[bytes]:
    return list(log.read(0, log.length))


async def when_back(ask: Callable[[], Awaitable[_T]]) -> _T:
    """The answer of a store that refuses at first."""
    while True:
        try:
            return await ask()
        except Refusal:
            await asyncio.sleep(0)


def kept_by(server: RedisServer, key: str) -> list[bytes]:
    """The stream itself, without its end."""
    with server.client() as client:
        entries = client.xrange(f"tokenwire:log:{key}")
    assert [number for number, _ in entries] == [f"0-{number}" for number in range(1, len(entries) + 1)]
    assert "end" in entries.pop()[1]
    return [fields["e"].encode() for _, fields in entries]


def shorten(folder: Path, lost: int) -> None:
    """Takes so many bytes off the end of what a dead server wrote."""
    (file,) = folder.glob("appendonlydir/*.incr.aof")
    with file.open("r+b") as appended:
        appended.truncate(file.stat().st_size - lost)


@pytest.mark.parametrize("place", range(0, 240, 8))
async def test_a_connection_that_breaks_anywhere_loses_and_doubles_nothing(server: RedisServer, place: int) -> None:
    """The first connection is the one the store starts with; each of the next breaks at that byte of the answers."""
    plan = {number: Cut(after=place, ending="reset") for number in range(2, 8)}
    async with (
        ChaosProxy(server.url, plan.get) as proxy,
        redis_store(proxy.url) as here,
        redis_store(server.url) as there,
    ):
        written, _ = await here.open(info())
        read = await there.find(written.key)
        assert read is not None
        read.follow(nothing)
        for token in _TOKENS:
            await write(written, [token])
        await write(written, [FINISHED], close=True)
        await until(lambda: read.closed)
        assert proxy.traffic.faults >= 1
        assert everything(written) == everything(read) == kept_by(server, written.key) == [*_TOKENS, FINISHED]


async def test_connections_that_break_all_the_time_lose_and_double_nothing(server: RedisServer) -> None:
    async with (
        ChaosProxy(server.url) as proxy,
        redis_store(proxy.url) as here,
        redis_store(proxy.url) as there,
    ):
        written, _ = await here.open(info())
        read = await there.find(written.key)
        assert read is not None
        read.follow(nothing)
        for token in _TOKENS:
            asked = proxy.traffic.to_server
            written.append([token])
            await proxy.until(lambda asked=asked: proxy.traffic.to_server > asked)  # type: ignore[misc]
            proxy.sever()
        await write(written, [FINISHED], close=True)
        await until(lambda: read.closed)
        assert everything(written) == everything(read) == kept_by(server, written.key) == [*_TOKENS, FINISHED]


async def test_a_server_that_comes_back_empty_gets_the_whole_log_again(server: RedisServer) -> None:
    async with redis_store(server.url) as here, redis_store(server.url) as there:
        written, _ = await here.open(info())
        await write(written, [STARTED, *_TOKENS])
        read = await there.find(written.key)
        assert read is not None
        read.follow(nothing)
        for _ in range(2):
            server.restart()
            await write(written, _TOKENS)
        with server.client() as client:
            client.flushall()
        await write(written, [FINISHED], close=True)
        await until(lambda: read.closed)
        whole = [STARTED, *_TOKENS, *_TOKENS, *_TOKENS, FINISHED]
        assert everything(written) == everything(read) == kept_by(server, written.key) == whole


async def test_a_server_that_was_killed_goes_on_from_its_file(durable: RedisServer) -> None:
    async with redis_store(durable.url) as here, redis_store(durable.url) as there:
        written, _ = await here.open(info())
        read = await there.find(written.key)
        assert read is not None
        read.follow(nothing)
        for _ in range(3):
            await write(written, _TOKENS)
            written.append(_TOKENS)
            durable.restart()
        await write(written, [FINISHED], close=True)
        await until(lambda: read.closed)
        assert everything(written) == everything(read) == kept_by(durable, written.key) == [*_TOKENS * 6, FINISHED]


@pytest.mark.parametrize("lost", [200, 1000, 2200])
async def test_a_server_that_lost_its_last_second_gets_it_again(
    durable: RedisServer, tmp_path: Path, lost: int
) -> None:
    async with redis_store(durable.url) as here, redis_store(durable.url) as there:
        written, _ = await here.open(info())
        read = await there.find(written.key)
        assert read is not None
        read.follow(nothing)
        for token in _TOKENS:
            await write(written, [token])
        await until(lambda: read.length == len(_TOKENS))
        durable.kill()
        shorten(tmp_path, lost)
        durable.start()
        with durable.client() as client:
            assert client.xlen(f"tokenwire:log:{written.key}") < len(_TOKENS)
        await write(written, [FINISHED], close=True)
        await until(lambda: read.closed)
        assert everything(written) == everything(read) == kept_by(durable, written.key) == [*_TOKENS, FINISHED]


async def test_a_cancel_and_a_new_follower_arrive_after_a_restart(server: RedisServer) -> None:
    async with redis_store(server.url) as here, redis_store(server.url) as there:
        written, _ = await here.open(info())
        writer = Noted()
        written.write(writer)
        server.restart()
        await write(written, [STARTED])
        read = await when_back(lambda: there.find(written.key))
        assert read is not None
        read.follow(nothing)
        await write(written, [b"2"])
        await until(lambda: read.length == 2)
        await there.cancel(written.key)
        await until(lambda: writer.cancelled == 1)


async def test_a_server_that_is_away_for_too_long_costs_the_runs_and_nothing_else(durable: RedisServer) -> None:
    async with redis_store(durable.url, patience=0.2, lease_seconds=0.5) as here:
        written, _ = await here.open(info())
        writer = Noted()
        written.write(writer)
        await write(written, [STARTED])
        durable.kill()
        written.append([b"never kept"])
        await until(lambda: written.failure is not None)
        assert writer.lost == [Code.store_unavailable]
        with pytest.raises(Refusal) as refusal:
            await here.open(info("r2"))
        assert refusal.value.code is Code.store_unavailable
        durable.start()
        ended = await when_back(lambda: here.find(written.key))
        assert ended is not None
        ended.follow(nothing)
        await until(lambda: ended.closed)
        assert everything(ended) == [STARTED, obituary(info())]
        again, created = await here.open(info("r2"))
        assert created
        await write(again, [STARTED, FINISHED], close=True)

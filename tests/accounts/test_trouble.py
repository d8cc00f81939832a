"""A store that is away grants nothing, says so before long, and is there again when it is."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tokenwire.accounts.claim import Budget, Rate, Slot
from tokenwire.accounts.contract import Accounts, AccountsAway, Selection
from tokenwire.accounts.records.contract import RecordsAway
from tokenwire.accounts.records.redis import RedisRecords
from tokenwire.accounts.records.sqlite import SqliteRecords
from tokenwire.accounts.redis import RedisAccounts
from tokenwire.accounts.sqlite import SqliteAccounts
from tokenwire.errors import Code

from ..runs.redis_server import RedisServer
from .test_contract import entry, ledger

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

RATE = Rate("requests", 4, 36_000)
SLOT = Slot("runs", 2, "run", 600)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
async def in_file(file: Path) -> AsyncIterator[SqliteAccounts]:
    accounts = SqliteAccounts(file)
    await accounts.start()
    yield accounts
    await accounts.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenwire.runs.sqlite_file.BUSY_SECONDS", 0.05)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
async def in_redis(server: RedisServer) -> AsyncIterator[RedisAccounts]:
    accounts = RedisAccounts(server.url)
    await accounts.start()
    yield accounts
    await accounts.close()


def content(file: Path) -> bytes:
    return file.read_bytes()


def put_back(file: Path, before: bytes) -> None:
    file.write_bytes(before)


def write_letter(file: Path) -> None:
    file.write_text("A letter to a friend, and none to any program. " * 1000)


def changes(accounts: Accounts) -> list[Callable[[], Awaitable[object]]]:
    """Everything that writes."""
    return [
        lambda: accounts.take([RATE]),
        lambda: accounts.settle([RATE]),
        lambda: accounts.settle([Budget("day", 10, 2e9, 1)]),
        lambda: accounts.renew([SLOT]),
        lambda: accounts.write(entry()),
    ]


async def away(ask: Callable[[], Awaitable[object]]) -> str:
    """Why it is."""
    with pytest.raises(AccountsAway) as refusal:
        await asyncio.wait_for(ask(), 10)
    assert (refusal.value.code, refusal.value.status) == (Code.store_unavailable, 503)
    return refusal.value.detail


async def untouched(accounts: Accounts) -> None:
    """Nothing was taken, and all of it can be had."""
    verdict = await accounts.take([RATE, SLOT])
    assert [standing.remaining for standing in verdict.standings] == [3, 1]
    await accounts.write(entry())
    assert await ledger(accounts) == [entry()]


async def test_a_locked_file_is_not_waited_for_for_ever(file: Path, in_file: SqliteAccounts) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        for change in changes(in_file):
            assert "locked" in await away(change)
        db.execute("ROLLBACK")
    await untouched(in_file)


async def test_a_locked_file_can_be_read(file: Path, in_file: SqliteAccounts) -> None:
    await in_file.write(entry())
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert await ledger(in_file) == [entry()]


async def test_who_waits_behind_a_slow_disk_is_told_so_and_takes_nothing(
    in_file: SqliteAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = asyncio.Event()
    loop = asyncio.get_running_loop()
    free = asyncio.Event()

    def hang() -> float:
        loop.call_soon_threadsafe(stuck.set)
        asyncio.run_coroutine_threadsafe(free.wait(), loop).result()
        return 1000.0

    monkeypatch.setattr("tokenwire.accounts.sqlite_file._SECONDS", 0.1)
    with monkeypatch.context() as slow:
        slow.setattr(in_file, "_clock", hang)
        first = asyncio.create_task(away(lambda: in_file.renew([])))
        await stuck.wait()
    assert "no answer within" in await away(lambda: in_file.take([RATE, SLOT]))
    assert "no answer within" in await first
    free.set()
    monkeypatch.setattr("tokenwire.accounts.sqlite_file._SECONDS", 10.0)
    await untouched(in_file)


async def test_a_full_disk(file: Path, in_file: SqliteAccounts, monkeypatch: pytest.MonkeyPatch) -> None:
    long = entry("x" * 100_000)
    connect = sqlite3.connect

    def connect_full(*arguments: object, **options: object) -> sqlite3.Connection:
        db = connect(*arguments, **options)  # type: ignore[call-overload]
        db.execute("PRAGMA max_page_count = 10")
        return db  # type: ignore[no-any-return]

    with monkeypatch.context() as full:
        full.setattr(sqlite3, "connect", connect_full)
        again = SqliteAccounts(file)
        assert "full" in await away(lambda: again.write(long))
    assert await ledger(in_file) == []
    await again.write(long)
    assert await ledger(in_file) == [long]
    await again.close()


async def test_a_file_that_was_spoilt_and_put_back(file: Path, in_file: SqliteAccounts) -> None:
    await in_file.close()
    good = content(file)
    write_letter(file)
    accounts = SqliteAccounts(file)
    for change in changes(accounts):
        assert "not a database" in await away(change)
    put_back(file, good)
    await untouched(accounts)
    await accounts.close()


async def test_a_file_of_another_format_is_left_alone(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")
    before = content(file)
    accounts = SqliteAccounts(file)
    assert "format 99" in await away(accounts.start)
    assert content(file) == before
    await accounts.close()


async def test_a_file_is_nobody_elses_business(file: Path, in_file: SqliteAccounts) -> None:
    await in_file.write(entry())
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in file.parent.iterdir()}
    assert modes == dict.fromkeys(["runs.db", "runs.db-wal", "runs.db-shm"], "0o600")


async def test_processes_that_start_at_once_make_one_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenwire.runs.sqlite_file.BUSY_SECONDS", 5.0)
    many = [SqliteAccounts(file) for _ in range(8)]
    await asyncio.gather(*(accounts.start() for accounts in many))
    verdicts = await asyncio.gather(*(accounts.take([RATE]) for accounts in many))
    assert [verdict.refused for verdict in verdicts].count(None) == 4
    for accounts in many:
        await accounts.close()


async def test_closed_accounts_are_away(file: Path, in_file: SqliteAccounts) -> None:
    await in_file.close()
    await in_file.close()
    await away(lambda: in_file.take([RATE]))


async def test_a_server_that_answers_nothing(server: RedisServer, in_redis: RedisAccounts) -> None:
    server.pause()
    assert "no answer within" in await away(lambda: in_redis.take([RATE._replace(key="lost")]))
    server.resume()
    await untouched(in_redis)


async def test_a_server_that_is_gone_and_comes_back(server: RedisServer, in_redis: RedisAccounts) -> None:
    server.kill()
    for change in changes(in_redis):
        await away(change)
    await away(lambda: ledger(in_redis))
    server.start()
    await untouched(in_redis)


async def test_a_server_without_memory(server: RedisServer, in_redis: RedisAccounts) -> None:
    with server.client() as client:
        client.config_set("maxmemory", "1")
        for change in changes(in_redis):
            assert "maxmemory" in await away(change)
        client.config_set("maxmemory", "0")
    await untouched(in_redis)


async def test_a_server_that_forgot_the_scripts(server: RedisServer, in_redis: RedisAccounts) -> None:
    with server.client() as client:
        client.script_flush()
    await untouched(in_redis)


async def test_whatever_expires_in_redis_does(server: RedisServer, in_redis: RedisAccounts) -> None:
    await in_redis.take([RATE, SLOT, Budget("day", 10, 4e9, 1)])
    await in_redis.settle([RATE, Budget("old", 10, 1000.0, 1)])
    await in_redis.renew(
        [SLOT._replace(key="renewed", seconds=5), SLOT._replace(key="renewed", holder="b", seconds=60)]
    )
    await in_redis.write(entry())
    with server.client() as client:
        left = {key: client.pttl(key) / 1000 for key in client.scan_iter()}
    assert left.pop("tokenwire:ledger") < 0
    assert left.pop("tokenwire:ledger:runs") < 0
    assert left.pop("tokenwire:budget:day") > 1e9
    assert left == {
        "tokenwire:rate:requests": pytest.approx(36_060, abs=10),
        "tokenwire:slots:runs": pytest.approx(660, abs=10),
        "tokenwire:slots:renewed": pytest.approx(120, abs=10),
    }


async def test_by_the_servers_own_clock(in_redis: RedisAccounts) -> None:
    assert (await in_redis.take([RATE._replace(cost=4)])).refused is None
    (standing,) = (await in_redis.take([RATE])).standings
    assert standing.retry == pytest.approx(9000, abs=20)
    assert (await in_redis.take([Rate("quick", 1, 0.001)])).refused is None
    while (await in_redis.take([Rate("quick", 1, 0.001)])).refused is not None:
        pass


async def test_records_are_away_as_well(file: Path, server: RedisServer) -> None:
    write_letter(file)
    server.kill()
    for records in (SqliteRecords(file), RedisRecords(server.url)):
        for ask in (
            records.start,
            lambda: records.put("key:a", b"value"),  # noqa: B023
            lambda: records.get("key:a"),  # noqa: B023
            lambda: records.take("key:a"),  # noqa: B023
            lambda: records.delete("key:a"),  # noqa: B023
            lambda: records.list("key:"),  # noqa: B023
        ):
            with pytest.raises(RecordsAway) as refusal:
                await asyncio.wait_for(ask(), 10)
            assert refusal.value.code is Code.store_unavailable
        await records.close()


async def test_selections_are_away_too(file: Path) -> None:
    write_letter(file)
    accounts = SqliteAccounts(file)
    await away(lambda: ledger(accounts, Selection(principal="alice")))
    await accounts.close()

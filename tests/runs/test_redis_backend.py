"""What the scripts answer, and what happens when the server does not."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tokenwire.errors import ConfigError
from tokenwire.runs.backend import Append, Fate, Orphan, Stored, StoreTrouble, Written
from tokenwire.runs.lease import Lease
from tokenwire.runs.redis import RedisBackend

from .contract import until
from .record import info
from .redis_server import RedisServer

pytestmark = pytest.mark.anyio


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


class Hearing:
    def __init__(self) -> None:
        self.heard: list[tuple[str, int, list[bytes], bool]] = []

    def grown(self, key: str, after: int, payloads: Sequence[bytes], closed: bool) -> None:
        self.heard.append((key, after, list(payloads), closed))

    def cancel_asked(self, key: str) -> None:
        raise AssertionError(key)


class Deaf:
    def grown(self, key: str, after: int, payloads: Sequence[bytes], closed: bool) -> None:
        pass

    def cancel_asked(self, key: str) -> None:
        pass


@asynccontextmanager
async def started(url: str, *, keep_seconds: float = 300) -> AsyncIterator[RedisBackend]:
    backend = RedisBackend(url, keep_seconds=keep_seconds)
    try:
        await backend.start(Deaf())
        await backend.renew(60, serving=True)
        yield backend
    finally:
        await backend.close()


@pytest.fixture
async def backend(server: RedisServer) -> AsyncIterator[RedisBackend]:
    async with started(server.url) as backend:
        yield backend


@pytest.fixture
async def other(server: RedisServer) -> AsyncIterator[RedisBackend]:
    async with started(server.url) as backend:
        yield backend


def appending(
    stored: Stored, after: int, *payloads: bytes, close: bool = False, lease: Lease | None = None
) -> list[Append]:
    return [Append(stored.info, stored.info.key, lease or stored.lease, after, payloads, close)]


async def records(backend: RedisBackend, stored: Stored) -> list[bytes]:
    found = await backend.load(stored.info.key, 0)
    assert found is not None
    return list(found.records)


async def test_what_was_kept_is_kept_once_however_often_it_comes(backend: RedisBackend) -> None:
    stored = await backend.claim(info())
    for _ in range(2):
        assert await backend.write(appending(stored, 0, b"1", b"2")) == [Written(Fate.kept, 2)]
    assert await backend.write(appending(stored, 1, b"2", b"3")) == [Written(Fate.kept, 3)]
    for _ in range(2):
        assert await backend.write(appending(stored, 3, b"4", close=True)) == [Written(Fate.kept, 4)]
    assert await records(backend, stored) == [b"1", b"2", b"3", b"4"]


async def test_an_end_that_comes_without_records_is_kept(backend: RedisBackend) -> None:
    stored = await backend.claim(info())
    await backend.write(appending(stored, 0, b"1"))
    for _ in range(2):
        assert await backend.write(appending(stored, 1, close=True)) == [Written(Fate.kept, 1)]
    found = await backend.load(stored.info.key, 0)
    assert found is not None
    assert (list(found.records), found.closed) == ([b"1"], True)


async def test_nothing_is_kept_behind_a_gap(backend: RedisBackend) -> None:
    stored = await backend.claim(info())
    await backend.write(appending(stored, 0, b"1"))
    assert await backend.write(appending(stored, 2, b"3")) == [Written(Fate.behind, 1)]
    assert await records(backend, stored) == [b"1"]


@pytest.mark.parametrize("change", [{"worker": "another"}, {"epoch": 2}])
async def test_a_lease_that_is_not_the_logs_own_is_refused(backend: RedisBackend, change: dict[str, object]) -> None:
    stored = await backend.claim(info())
    (written,) = await backend.write(appending(stored, 0, b"1", lease=stored.lease._replace(**change)))  # type: ignore[arg-type]
    assert written.fate is Fate.fenced
    assert await records(backend, stored) == []


async def test_a_closed_log_takes_nothing_more(backend: RedisBackend) -> None:
    stored = await backend.claim(info())
    await backend.write(appending(stored, 0, b"1", close=True))
    for late in (appending(stored, 1, b"2"), appending(stored, 1, b"2", close=True), appending(stored, 0, b"1")):
        (written,) = await backend.write(late)
        assert written.fate is Fate.fenced
    assert await records(backend, stored) == [b"1"]


async def test_a_log_that_was_lost_with_everything_else_is_made_anew(server: RedisServer) -> None:
    async with started(server.url, keep_seconds=0) as backend:
        stored = await backend.claim(info())
        await backend.write(appending(stored, 0, b"1"))
        with server.client() as client:
            client.flushall()
        assert await backend.write(appending(stored, 1, b"2")) == [Written(Fate.behind, 0)]
        assert await backend.write(appending(stored, 0, b"1", b"2")) == [Written(Fate.kept, 2)]
        assert await backend.orphans() == [Orphan(stored.info, stored.info.key, stored.lease)]


async def test_a_log_that_has_expired_is_not_made_anew(server: RedisServer) -> None:
    async with started(server.url, keep_seconds=0) as backend:
        stored = await backend.claim(info())
        with server.client() as client:
            client.delete(f"tokenwire:run:{stored.info.key}")
        (written,) = await backend.write(appending(stored, 0, b"1"))
        assert written.fate is Fate.fenced


async def test_a_log_too_young_to_have_expired_was_lost(backend: RedisBackend, server: RedisServer) -> None:
    stored = await backend.claim(info())
    with server.client() as client:
        client.delete(f"tokenwire:run:{stored.info.key}")
    assert await backend.write(appending(stored, 0, b"1")) == [Written(Fate.kept, 1)]


async def test_a_follower_is_told_everything_once(backend: RedisBackend, server: RedisServer) -> None:
    listener = Hearing()
    following = RedisBackend(server.url)
    await following.start(listener)
    stored = await backend.claim(info())
    key = stored.info.key
    await backend.write(appending(stored, 0, b"1", b"2"))
    following.follow(key, 1)
    await until(lambda: listener.heard == [(key, 1, [b"2"], False)])
    await backend.write(appending(stored, 2, b"3"))
    await until(lambda: len(listener.heard) > 1)
    await backend.cancel(key)
    await backend.write(appending(stored, 3, b"4", close=True))
    await until(lambda: len(listener.heard) > 2)
    await following.close()
    assert listener.heard[1:] == [(key, 2, [b"3"], False), (key, 3, [b"4"], True)]


async def test_who_follows_no_longer_is_told_nothing(backend: RedisBackend, server: RedisServer) -> None:
    listener = Hearing()
    following = RedisBackend(server.url)
    await following.start(listener)
    left, kept = [await backend.claim(info(run_id)) for run_id in ("left", "kept")]
    for stored in (left, kept):
        following.follow(stored.info.key, 0)
    following.unfollow(left.info.key)
    await backend.write(appending(left, 0, b"1"))
    await backend.write(appending(kept, 0, b"1"))
    await until(lambda: listener.heard != [])
    await following.close()
    assert listener.heard == [(kept.info.key, 0, [b"1"], False)]


async def test_a_batch_of_any_size_is_answered_in_order(backend: RedisBackend) -> None:
    claimed = [await backend.claim(info(f"r{number}")) for number in range(7)]
    batch = [append for stored in claimed for append in appending(stored, 0, b"x" * 400_000, stored.info.key.encode())]
    batch[3] = batch[3]._replace(after=5)
    fates = [written.fate for written in await backend.write(batch)]
    assert fates == [Fate.behind if number == 3 else Fate.kept for number in range(7)]
    assert [(await records(backend, stored))[1:] for stored in claimed] == [
        [] if number == 3 else [stored.info.key.encode()] for number, stored in enumerate(claimed)
    ]


async def test_scripts_that_the_server_forgot_are_loaded_again(backend: RedisBackend, server: RedisServer) -> None:
    stored = await backend.claim(info())
    for after in range(2):
        with server.client() as client:
            client.script_flush()
        assert await backend.write(appending(stored, after, b"x")) == [Written(Fate.kept, after + 1)]
        with server.client() as client:
            client.script_flush()
        assert (await backend.claim(info())).lease == stored.lease


async def test_a_mark_is_of_another_worker_and_ends(
    backend: RedisBackend, other: RedisBackend, server: RedisServer
) -> None:
    key = info().key
    await backend.attend([key], 60)
    assert not await backend.attended(key)
    assert await other.attended(key)
    await other.attend([key, "more"], 60)
    await backend.attend([key], 60)
    assert await backend.attended(key)
    server.age(61)
    assert not await backend.attended(key)


async def test_peers_live_and_serve(backend: RedisBackend, other: RedisBackend, server: RedisServer) -> None:
    assert await backend.peers() == 1
    await other.renew(60, serving=False)
    assert await backend.peers() == 0
    await other.renew(60, serving=True)
    assert await backend.peers() == 1
    server.age(61)
    assert await backend.peers() == 0


async def test_the_dead_are_buried_once_and_the_living_never(
    backend: RedisBackend, other: RedisBackend, server: RedisServer
) -> None:
    stored = await backend.claim(info())
    await backend.write(appending(stored, 0, b"1"))
    orphan = Orphan(stored.info, stored.info.key, stored.lease)
    assert await other.orphans() == []
    await other.bury(orphan, b"alive")
    server.age(61)
    assert await other.orphans() == [orphan]
    for _ in range(2):
        await other.bury(orphan, b"end")
    assert await other.orphans() == []
    (written,) = await backend.write(appending(stored, 1, b"2"))
    assert written.fate is Fate.fenced
    found = await other.load(stored.info.key, 0)
    assert found is not None
    assert (list(found.records), found.closed, found.lease.epoch) == ([b"1", b"end"], True, 2)


async def test_what_its_writer_has_ended_is_nobodys_to_end(
    backend: RedisBackend, other: RedisBackend, server: RedisServer
) -> None:
    stored = await backend.claim(info())
    await backend.write(appending(stored, 0, b"1", close=True))
    server.age(61)
    await other.bury(Orphan(stored.info, stored.info.key, stored.lease), b"end")
    await other.cancel(stored.info.key)
    assert await records(other, stored) == [b"1"]
    with server.client() as client:
        assert not client.exists(f"tokenwire:open:{backend.worker}", f"tokenwire:inbox:{backend.worker}")


async def test_a_dead_worker_leaves_nothing_behind(
    backend: RedisBackend, other: RedisBackend, server: RedisServer
) -> None:
    stored = await backend.claim(info())
    server.age(61)
    await other.renew(60, serving=True)
    for orphan in await other.orphans():
        await other.bury(orphan, b"end")
    await other.orphans()
    server.age(301)
    with server.client() as client:
        left = [key for key in client.scan_iter() if stored.lease.worker in key or stored.info.key in key]
        assert left == []
        assert client.smembers("tokenwire:workers") == {other.worker}


async def test_two_prefixes_are_two_stores(backend: RedisBackend, server: RedisServer) -> None:
    await backend.claim(info())
    elsewhere = RedisBackend(server.url, prefix="elsewhere:")
    await elsewhere.start(Deaf())
    assert await elsewhere.load(info().key, 0) is None
    assert await elsewhere.peers() == 0
    await elsewhere.close()


async def test_what_the_server_refuses_is_trouble_and_heals(backend: RedisBackend, server: RedisServer) -> None:
    stored = await backend.claim(info())
    with server.client() as client:
        for setting, ill, well in (("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")):
            client.config_set(setting, ill)
            with pytest.raises(StoreTrouble):
                await backend.write(appending(stored, 0, b"1"))
            with pytest.raises(StoreTrouble):
                await backend.claim(info("r2"))
            client.config_set(setting, well)
    assert await backend.write(appending(stored, 0, b"1")) == [Written(Fate.kept, 1)]
    assert await backend.load(info("r2").key, 0) is None


async def test_a_connection_that_told_of_trouble_is_not_used_again(server: RedisServer) -> None:
    """Behind an address that stays, another server may have taken over."""

    def connections() -> set[str]:
        with server.client() as client:
            return {line["id"] for line in client.client_list() if line["name"] == "troubled"}

    async with started(f"{server.url}?client_name=troubled") as backend:
        await backend.claim(info())
        before = connections()
        with server.client() as client:
            client.config_set("maxmemory", "1")
            with pytest.raises(StoreTrouble):
                await backend.claim(info("r2"))
            client.config_set("maxmemory", "0")
        await backend.claim(info("r2"))
        await until(lambda: len(connections() & before) == len(before) - 1)


async def test_a_server_that_does_not_answer_is_trouble_for_all_who_ask_at_once(
    backend: RedisBackend, server: RedisServer
) -> None:
    stored = await backend.claim(info())
    await backend.write(appending(stored, 0, b"1"))
    server.pause()
    try:
        answers = await asyncio.gather(
            backend.write(appending(stored, 1, b"2")),
            *(backend.load(stored.info.key, 0) for _ in range(20)),
            return_exceptions=True,
        )
    finally:
        server.resume()
    assert all(isinstance(answer, StoreTrouble) for answer in answers)
    assert await backend.write(appending(stored, 1, b"2", b"3")) == [Written(Fate.kept, 3)]
    assert await records(backend, stored) == [b"1", b"2", b"3"]


async def test_a_caller_who_leaves_spoils_no_answer(backend: RedisBackend) -> None:
    stored = await backend.claim(info())
    for after in range(20):
        leaving = asyncio.create_task(backend.load("another", 0))
        for _ in range(after % 5):
            await asyncio.sleep(0)
        leaving.cancel()
        found = await backend.load(stored.info.key, 0)
        assert found is not None
        assert found.info == stored.info


async def test_a_password_is_in_no_message(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    with RedisServer(tmp_path_factory.mktemp("locked"), "--requirepass", "sesame") as locked:
        async with started(locked.url.replace("//", "//:sesame@")) as backend:
            await backend.claim(info())
        address = locked.url.replace("//", "//:a-secret@")
        with pytest.raises(StoreTrouble) as wrong:
            await RedisBackend(address).start(Deaf())
        with pytest.raises(StoreTrouble) as none:
            await RedisBackend(locked.url).start(Deaf())
        locked.kill(signal.SIGTERM)
        with pytest.raises(StoreTrouble) as gone:
            await RedisBackend(address).start(Deaf())
    for trouble in (wrong, none, gone):
        assert "a-secret" not in str(trouble.value)


async def test_a_password_that_the_server_repeats_is_in_no_message(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--rename-command", "AUTH", "") as server, pytest.raises(StoreTrouble) as trouble:
        await RedisBackend(server.url.replace("//", "//:a-secret@")).start(Deaf())
    assert "unknown command" in str(trouble.value)
    assert "a-secret" not in str(trouble.value)


@pytest.mark.parametrize(
    "address",
    ["http://:a-secret@host", "redis://:a/secret@host:1", "redis://:a-secret@host?colour=red", "redis://h:a-secret"],
)
def test_an_address_that_is_none_is_an_error_without_its_password(address: str) -> None:
    with pytest.raises(ConfigError) as error:
        RedisBackend(address)
    assert "secret" not in str(error.value)


def test_without_the_package_the_error_names_the_extra() -> None:
    program = "import sys; sys.modules['redis'] = None; import tokenwire.runs.redis"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "ConfigError: the store redis://… needs the extra: pip install 'tokenwire[redis]'" in ran.stderr


async def test_nothing_is_left_after_close(server: RedisServer) -> None:
    before = asyncio.all_tasks()
    async with started(f"{server.url}?client_name=leaving") as backend:
        stored = await backend.claim(info())
        await backend.write(appending(stored, 0, b"1", close=True))
        backend.follow("another", 0)
    assert asyncio.all_tasks() == before
    with server.client() as client:
        await until(lambda: all(line["name"] != "leaving" for line in client.client_list()))
        assert not client.exists(f"tokenwire:worker:{backend.worker}", f"tokenwire:inbox:{backend.worker}")

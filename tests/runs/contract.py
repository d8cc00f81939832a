"""What every store promises (:mod:`tokenwire.runs.log`), as tests.

A store's own test module inherits the classes and names the store in a ``make_store`` fixture. Tests of what is kept
move the time by ``clock``; a store whose time is not the event loop's overrides that as well.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import pytest

from tokenwire.runs.log import Log, Store

from .record import FINISHED, STARTED, info


class MakeStore(Protocol):
    """Makes an empty store, ready to be used."""

    async def __call__(self, *, keep_seconds: float = 300, keep_bytes: int = 1_000_000) -> Store: ...


class Clock(Protocol):
    """The store's time."""

    def advance(self, seconds: float) -> Awaitable[None]: ...


async def until(condition: Callable[[], bool]) -> None:
    """Returns once the store's work, wherever it is done, has made the condition true."""
    while not condition():  # noqa: ASYNC110 - not every change has an event, and it is a moment
        await asyncio.sleep(0)


async def write(log: Log, payloads: Sequence[bytes], *, close: bool = False) -> None:
    """Appends, and returns when what was appended may be delivered."""
    length = log.length + len(payloads)
    log.append(payloads)
    if close:
        log.close()
    await until(lambda: log.length >= length and log.closed >= close)


@pytest.mark.anyio
class StoreContract:
    """Logs, open and closed."""

    async def test_the_first_open_makes_the_log_and_every_other_finds_it(self, make_store: MakeStore) -> None:
        store = await make_store()
        first, created = await store.open(info())
        assert created
        again, created = await store.open(info())
        assert not created
        assert again is first

    async def test_of_many_who_open_at_once_one_makes_it(self, make_store: MakeStore) -> None:
        store = await make_store()
        opened = await asyncio.gather(*(store.open(info()) for _ in range(20)))
        assert [created for _, created in opened].count(True) == 1
        assert len({id(log) for log, _ in opened}) == 1

    async def test_a_new_log_is_empty_open_and_knows_whose_it_is(self, make_store: MakeStore) -> None:
        log, _ = await (await make_store()).open(info("r1", "bob"))
        assert (log.length, log.size, log.closed) == (0, 0, False)
        assert log.info == info("r1", "bob")
        assert log.key == info("r1", "bob").key
        assert list(log.read(0, 10)) == []

    async def test_find_knows_a_log_by_its_key_and_no_other(self, make_store: MakeStore) -> None:
        store = await make_store()
        log, _ = await store.open(info("r1"))
        assert await store.find(log.key) is log
        assert await store.find(info("r2").key) is None
        assert await store.find("") is None

    async def test_the_same_run_id_of_two_principals_is_two_logs(self, make_store: MakeStore) -> None:
        store = await make_store()
        alices, _ = await store.open(info("r", "alice"))
        bobs, created = await store.open(info("r", "bob"))
        assert created
        await write(alices, [STARTED])
        assert bobs.length == 0

    async def test_what_was_appended_is_read_in_order_strictly_after(self, make_store: MakeStore) -> None:
        log, _ = await (await make_store()).open(info())
        await write(log, [b"1", b"22"])
        await write(log, [b"333"])
        assert (log.length, log.size) == (3, 6)
        assert list(log.read(0, 10)) == [b"1", b"22", b"333"]
        assert list(log.read(1, 10)) == [b"22", b"333"]
        assert list(log.read(2, 10)) == [b"333"]
        assert list(log.read(3, 10)) == []
        assert list(log.read(99, 10)) == []

    async def test_a_read_is_bounded(self, make_store: MakeStore) -> None:
        log, _ = await (await make_store()).open(info())
        await write(log, [b"1", b"2", b"3"])
        assert list(log.read(0, 2)) == [b"1", b"2"]
        assert list(log.read(2, 2)) == [b"3"]

    async def test_what_was_read_is_read_again_unchanged(self, make_store: MakeStore) -> None:
        log, _ = await (await make_store()).open(info())
        await write(log, [STARTED, b"2"])
        before = list(log.read(0, 10))
        await write(log, [b"3", FINISHED], close=True)
        assert list(log.read(0, 2)) == before

    async def test_a_closed_log_keeps_its_records_and_takes_no_more(self, make_store: MakeStore) -> None:
        log, _ = await (await make_store()).open(info())
        await write(log, [STARTED, FINISHED], close=True)
        with pytest.raises(RuntimeError):
            log.append([b"late"])
        assert log.closed
        assert list(log.read(0, 10)) == [STARTED, FINISHED]

    async def test_closing_twice_is_closing_once(self, make_store: MakeStore) -> None:
        store = await make_store()
        log, _ = await store.open(info())
        await write(log, [STARTED, FINISHED], close=True)
        wakes: list[None] = []
        log.follow(lambda: wakes.append(None))
        log.close()
        assert wakes == []
        assert await store.find(log.key) is log

    async def test_a_closed_log_is_found_and_not_made_anew(self, make_store: MakeStore) -> None:
        store = await make_store()
        log, _ = await store.open(info())
        await write(log, [STARTED, FINISHED], close=True)
        assert await store.find(log.key) is log
        again, created = await store.open(info())
        assert not created
        assert list(again.read(0, 10)) == [STARTED, FINISHED]

    async def test_followers_are_woken_when_the_records_can_be_read(self, make_store: MakeStore) -> None:
        log, _ = await (await make_store()).open(info())
        seen: list[tuple[int, bool]] = []
        log.follow(lambda: seen.append((len(log.read(0, 10)), log.closed)))
        await write(log, [b"1", b"2"])
        assert seen[-1] == (2, False)
        await write(log, [FINISHED], close=True)
        assert seen[-1] == (3, True)

    async def test_every_follower_is_woken_until_it_unfollows(self, make_store: MakeStore, clock: Clock) -> None:
        log, _ = await (await make_store()).open(info())
        woken: list[str] = []

        def stays() -> None:
            woken.append("stays")

        def goes() -> None:
            woken.append("goes")

        log.follow(stays)
        log.follow(goes)
        await write(log, [b"1"])
        await clock.advance(1)
        await until(lambda: set(woken) == {"stays", "goes"})
        log.unfollow(goes)
        woken.clear()
        await write(log, [FINISHED], close=True)
        assert set(woken) == {"stays"}

    async def test_a_store_that_was_closed_can_be_closed_again(self, make_store: MakeStore) -> None:
        store = await make_store()
        log, _ = await store.open(info())
        await write(log, [STARTED, FINISHED], close=True)
        await store.close()
        await store.close()


@pytest.mark.anyio
class RetentionContract:
    """How long logs are kept."""

    async def test_a_closed_log_is_kept_for_its_time_and_no_longer(self, make_store: MakeStore, clock: Clock) -> None:
        store = await make_store(keep_seconds=60)
        log, _ = await store.open(info())
        await write(log, [STARTED, FINISHED], close=True)
        await clock.advance(59)
        assert await store.find(log.key) is log
        await clock.advance(2)
        assert await store.find(log.key) is None

    async def test_an_expired_run_is_a_new_one(self, make_store: MakeStore, clock: Clock) -> None:
        store = await make_store(keep_seconds=60)
        log, _ = await store.open(info())
        await write(log, [STARTED, FINISHED], close=True)
        await clock.advance(61)
        again, created = await store.open(info())
        assert created
        assert again.length == 0

    async def test_each_log_has_its_own_time(self, make_store: MakeStore, clock: Clock) -> None:
        store = await make_store(keep_seconds=60)
        logs = []
        for run_id in ("a", "b", "c"):
            log, _ = await store.open(info(run_id))
            await write(log, [STARTED, FINISHED], close=True)
            logs.append(log)
            await clock.advance(25)
        assert [await store.find(log.key) is not None for log in logs] == [False, True, True]
        await clock.advance(25)
        assert [await store.find(log.key) is not None for log in logs] == [False, False, True]
        await clock.advance(25)
        assert [await store.find(log.key) is not None for log in logs] == [False, False, False]

    async def test_an_open_log_never_expires(self, make_store: MakeStore, clock: Clock) -> None:
        store = await make_store(keep_seconds=60)
        log, _ = await store.open(info("open"))
        other, _ = await store.open(info("closed"))
        await write(log, [STARTED])
        await write(other, [STARTED, FINISHED], close=True)
        await clock.advance(100_000)
        assert await store.find(other.key) is None
        assert await store.find(log.key) is log


@pytest.mark.anyio
class CapacityContract:
    """How much is kept, in a store that bounds it by itself."""

    async def test_the_oldest_goes_when_all_of_them_grow_too_large(self, make_store: MakeStore) -> None:
        store = await make_store(keep_bytes=100_000)
        keys = []
        for number in range(5):
            log, _ = await store.open(info(f"r{number}"))
            await write(log, [b"x" * 40_000, FINISHED], close=True)
            keys.append(log.key)
        assert [await store.find(key) is not None for key in keys] == [False, False, False, True, True]

    async def test_an_open_log_is_kept_whatever_its_size(self, make_store: MakeStore) -> None:
        store = await make_store(keep_bytes=100_000)
        large, _ = await store.open(info("large"))
        await write(large, [b"x" * 500_000])
        small, _ = await store.open(info("small"))
        await write(small, [STARTED, FINISHED], close=True)
        assert await store.find(large.key) is large
        assert await store.find(small.key) is small

    async def test_many_small_logs_count_too(self, make_store: MakeStore) -> None:
        """A bound on memory that counted payloads only would keep any number of empty runs."""
        store = await make_store(keep_bytes=100_000)
        keys = []
        for number in range(2000):
            log, _ = await store.open(info(f"r{number}"))
            await write(log, [b"1", b"2"], close=True)
            keys.append(log.key)
        kept = [await store.find(key) is not None for key in keys]
        assert 0 < kept.count(True) < 1000
        assert kept == sorted(kept)

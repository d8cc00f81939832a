"""A reader catches up, follows, and says when nothing happens."""

import asyncio

import pytest

from tokenwire.runs.log import Log
from tokenwire.runs.memory import MemoryStore
from tokenwire.runs.reader import BATCH, Reader

from .clock import ClockLoop
from .record import FINISHED, STARTED, info

pytestmark = pytest.mark.anyio

HEARTBEAT = 10.0


@pytest.fixture
async def log() -> Log:
    log, _ = await MemoryStore().open(info())
    return log


async def silence(clock: ClockLoop) -> None:
    """Lets a heartbeat's time pass, in steps that leave every timer its turn."""
    for _ in range(4):
        await clock.advance(HEARTBEAT / 4)


async def test_it_takes_what_is_there_once(log: Log) -> None:
    log.append([STARTED, b"2"])
    reader = Reader(log, 0, HEARTBEAT)
    assert list(reader.take()) == [STARTED, b"2"]
    assert reader.position == 2
    assert list(reader.take()) == []


async def test_it_begins_after_its_place(log: Log) -> None:
    log.append([b"1", b"2", b"3"])
    reader = Reader(log, 2, HEARTBEAT)
    assert list(reader.take()) == [b"3"]


async def test_readers_have_places_of_their_own(log: Log) -> None:
    log.append([b"1", b"2"])
    ahead, behind = Reader(log, 0, HEARTBEAT), Reader(log, 0, HEARTBEAT)
    ahead.take()
    log.append([b"3"])
    assert list(ahead.take()) == [b"3"]
    assert list(behind.take()) == [b"1", b"2", b"3"]


async def test_it_takes_no_more_than_a_batch(log: Log) -> None:
    records = [b"%d" % number for number in range(2 * BATCH + 1)]
    log.append(records)
    log.close()
    reader = Reader(log, 0, HEARTBEAT)
    taken: list[bytes] = []
    while not reader.done:
        batch = reader.take()
        assert 0 < len(batch) <= BATCH
        taken += batch
    assert taken == records


async def test_it_is_done_when_the_log_is_closed_and_read(log: Log) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    log.append([STARTED, FINISHED])
    assert not reader.done
    log.close()
    assert not reader.done
    reader.take()
    assert reader.done


async def test_a_terminal_event_does_not_end_it_the_close_does(log: Log) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    log.append([FINISHED])
    reader.take()
    assert not reader.done


async def test_at_the_end_of_a_closed_log_it_is_done_at_once(log: Log) -> None:
    log.append([STARTED, FINISHED])
    log.close()
    assert Reader(log, 2, HEARTBEAT).done


async def test_waiting_ends_with_a_record(log: Log, clock: ClockLoop) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    waiting = reader.wait()
    await clock.advance(1)
    assert not waiting.done()
    log.append([STARTED])
    log.append([b"2"])
    await waiting
    assert list(reader.take()) == [STARTED, b"2"]


async def test_waiting_ends_with_the_log(log: Log, clock: ClockLoop) -> None:
    log.append([STARTED, FINISHED])
    reader = Reader(log, 2, HEARTBEAT)
    waiting = reader.wait()
    await clock.advance(1)
    log.close()
    await waiting
    assert reader.done


async def test_waiting_ends_when_the_reader_leaves(log: Log, clock: ClockLoop) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    waiting = reader.wait()
    await clock.advance(1)
    reader.leave()
    await waiting
    assert reader.gone
    assert not reader.done


async def test_there_is_no_waiting_for_what_is_there(log: Log) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    log.append([STARTED])
    await reader.wait()
    reader.take()
    log.close()
    await reader.wait()
    left = Reader(log, 1, HEARTBEAT)
    left.leave()
    await left.wait()


async def test_a_wake_while_nobody_waits_ends_the_next_wait_and_no_other(log: Log, clock: ClockLoop) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    reader.wake()
    await reader.wait()
    assert not reader.take()
    waiting = reader.wait()
    await clock.advance(1)
    assert not waiting.done()
    reader.wake()
    await waiting


async def test_the_end_is_not_waited_for_once_it_is_there(log: Log) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    waiting = reader.wait()
    await asyncio.sleep(0)
    log.append([STARTED])
    log.close()
    await waiting
    reader.take()
    await reader.wait()
    assert reader.done


async def test_a_heartbeat_is_due_once_for_a_silence(log: Log, clock: ClockLoop) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    waiting = reader.wait()
    await silence(clock)
    await waiting
    assert reader.due
    assert not reader.due


async def test_a_heartbeat_follows_the_other_as_long_as_it_is_silent(log: Log, clock: ClockLoop) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    for _ in range(3):
        waiting = reader.wait()
        await silence(clock)
        await waiting
        assert reader.due


async def test_no_heartbeat_is_due_while_something_is_sent(log: Log, clock: ClockLoop) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    for _ in range(20):
        reader.sent()
        await clock.advance(HEARTBEAT / 4)
        assert not reader.due


async def test_records_that_are_taken_and_not_sent_put_off_no_heartbeat(log: Log, clock: ClockLoop) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    due = False
    for _ in range(5):
        log.append([b"a record that the wire has no word for"])
        reader.take()
        await clock.advance(HEARTBEAT / 4)
        due = due or reader.due
    assert due


async def test_a_heartbeat_does_not_hide_a_record(log: Log, clock: ClockLoop) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    await silence(clock)
    log.append([b"1"])
    await reader.wait()
    assert list(reader.take()) == [b"1"]


async def test_a_closed_reader_is_not_woken_and_reminds_of_nothing(log: Log, clock: ClockLoop) -> None:
    reader = Reader(log, 0, HEARTBEAT)
    reader.close()
    await silence(clock)
    assert not reader.due
    log.append([STARTED])
    assert reader.position == 0

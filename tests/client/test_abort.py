"""Signals, and the waits that they end."""

import asyncio

import pytest

from tokenwire.client import AbortController
from tokenwire.client.abort import Aborted, interruptible

pytestmark = pytest.mark.anyio


async def test_a_signal_is_aborted_once() -> None:
    controller, calls = AbortController(), []
    signal = controller.signal
    assert (signal.aborted, signal.reason) == (False, None)
    signal.add_callback(lambda: calls.append("first"))
    signal.add_callback(lambda: calls.append("never"))()
    waiting = asyncio.create_task(signal.wait())
    await asyncio.sleep(0)
    controller.abort("enough")
    controller.abort("again")
    assert (signal.aborted, signal.reason) == (True, "enough")
    assert await waiting == await signal.wait() == "enough"
    signal.add_callback(lambda: calls.append("late"))
    assert calls == ["first", "late"]


async def test_an_abort_interrupts_a_wait() -> None:
    controller = AbortController()
    ended = []

    async def work() -> None:
        with pytest.raises(Aborted), interruptible(controller.signal):  # noqa: PT012
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cleaned up")
        await asyncio.sleep(0)
        ended.append("went on")

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    controller.abort()
    await working
    assert ended == ["cleaned up", "went on"]


async def test_a_cancellation_stays_one_even_beside_an_abort() -> None:
    controller = AbortController()

    async def work() -> None:
        with interruptible(controller.signal):
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    controller.abort()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_an_abort_by_the_task_itself_and_after_the_wait_does_nothing() -> None:
    controller = AbortController()
    with interruptible(controller.signal):
        controller.abort()
    await asyncio.sleep(0)
    with pytest.raises(Aborted), interruptible(controller.signal):
        pytest.fail("it is aborted")


async def test_without_a_signal_nothing_happens() -> None:
    with interruptible(None):
        await asyncio.sleep(0)

"""A model that an agent asks, and does not listen to."""

import asyncio
from collections.abc import Sequence

import pytest

from tokenwire import events
from tokenwire.agents.inner import heard
from tokenwire.runs.run import Run

pytestmark = pytest.mark.anyio

_MEBIBYTE = "x" * 1024 * 1024


class Talker:
    """A source that says what a test makes it say."""

    saved = None

    def __init__(self) -> None:
        self.paused = asyncio.Event()
        self.resumed = asyncio.Event()
        self.stopped = False

    def start(self, run: Run) -> None:
        self._run = run
        self.say("Hel")

    def say(self, text: str) -> None:
        self._run.emit([events.TextMessageContent("m", text)])

    def finish(self) -> None:
        self._run.finish("stop")

    def stop(self) -> Sequence[events.Event]:
        self.stopped = True
        return ()

    def pause(self) -> None:
        self.paused.set()

    def resume(self) -> None:
        self.resumed.set()


async def test_it_is_paused_while_the_agent_does_not_read_on_and_loses_nothing() -> None:
    talker = Talker()
    pieces = heard(talker)
    assert await anext(pieces) == "Hel"
    said = 0
    while not talker.paused.is_set():
        talker.say(_MEBIBYTE)
        said += 1
        assert said < 16
    for _ in range(said):
        assert await anext(pieces) == _MEBIBYTE
    async with asyncio.timeout(20):
        await talker.resumed.wait()
    talker.finish()
    assert len([piece async for piece in pieces]) == 1
    assert not talker.stopped


async def test_it_is_stopped_where_the_agent_leaves() -> None:
    talker = Talker()
    pieces = heard(talker)
    await anext(pieces)
    await pieces.aclose()  # type: ignore[attr-defined]
    assert talker.stopped

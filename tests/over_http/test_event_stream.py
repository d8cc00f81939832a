"""The response that follows a log, on a clock that the test moves."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from tokenwire import events
from tokenwire.runs.audience import Audience
from tokenwire.runs.log import Log
from tokenwire.runs.memory import MemoryStore
from tokenwire.server.drain import Drain
from tokenwire.server.stream import EventStream
from tokenwire.wire.base import SSE, Encoder
from tokenwire.wire.rais import RAIS

from ..runs.clock import ClockLoop
from ..runs.record import FINISHED, STARTED, info, said

pytestmark = pytest.mark.anyio

HEARTBEAT = 10.0


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"loop_factory": ClockLoop}


class Response:
    """A response under way, to a client that may leave or stop reading."""

    def __init__(self, log: Log, audience: Audience | None = None) -> None:
        self.bodies: list[bytes] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.left = asyncio.Event()
        stream = EventStream(
            log,
            Encoder(RAIS, SSE, log.key),
            after=0,
            heartbeat=HEARTBEAT,
            drain=Drain(),
            returns=False,
            audience=audience,
        )
        scope = {"type": "http", "http_version": "1.1", "headers": []}
        self.task = asyncio.create_task(stream(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.reading.wait()
        if message["type"] == "http.response.body":
            self.bodies.append(message["body"])


@pytest.fixture
async def log() -> Log:
    log, _ = await MemoryStore().open(info())
    log.append([STARTED])
    return log


@pytest.fixture
async def clock() -> ClockLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ClockLoop)
    return loop


async def test_a_stream_that_says_something_needs_no_heartbeat(log: Log, clock: ClockLoop) -> None:
    response = Response(log)
    for _ in range(20):
        log.append([events.encode(said("x"))])
        await clock.advance(HEARTBEAT / 4)
    assert len(response.bodies) == 20
    assert b"\n" not in response.bodies
    log.append([FINISHED])
    log.close()
    await response.task


async def test_a_silent_stream_beats(log: Log, clock: ClockLoop) -> None:
    response = Response(log)
    for _ in range(8):
        await clock.advance(HEARTBEAT / 4)
    assert set(response.bodies) == {b"\n"}
    log.close()
    await response.task


async def test_who_does_not_read_is_sent_nothing_more_and_loses_nothing(log: Log, clock: ClockLoop) -> None:
    response = Response(log)
    await clock.advance(0)
    response.reading.clear()
    for number in range(2000):
        log.append([events.encode(said(f"{number} "))])
    await clock.advance(HEARTBEAT * 3)
    assert response.bodies == []
    log.append([FINISHED])
    log.close()
    response.reading.set()
    await response.task
    text = b"".join(response.bodies)
    assert [b'"text":"%d "' % number in text for number in range(2000)] == [True] * 2000
    assert text.endswith(b'data: {"type":"done"}\n\n')


async def test_who_leaves_is_let_go_of(log: Log, clock: ClockLoop) -> None:
    audience = Audience(None, lambda: None)
    response = Response(log, audience)
    await clock.advance(0)
    assert audience.count == 1
    response.left.set()
    await response.task
    assert audience.count == 0
    log.append([FINISHED])
    assert response.bodies == []

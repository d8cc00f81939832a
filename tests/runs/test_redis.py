"""The Redis store keeps the contract."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize

from tokenwire.runs.followers import PACE
from tokenwire.runs.redis import RedisBackend
from tokenwire.runs.shared import SharedStore

from .clock import ClockLoop
from .contract import MakeStore, RetentionContract, StoreContract
from .machine import KEEP_SECONDS, StoreMachine
from .redis_server import RedisServer, redis_store


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


class RedisClock:
    """Only the server's time counts for what is kept; that of the loop, which nobody moves, is let pass."""

    def __init__(self, server: RedisServer, loop_time: Callable[[], float]) -> None:
        self._server = server
        self._loop_time = loop_time
        self._moved = 0.0

    def time(self) -> float:
        return self._loop_time() + self._moved

    async def advance(self, seconds: float) -> None:
        self._moved += seconds
        self._server.age(seconds)
        await asyncio.sleep(2 * PACE)


@pytest.fixture
async def clock(server: RedisServer) -> RedisClock:
    return RedisClock(server, asyncio.get_running_loop().time)


@pytest.fixture
async def make_store(server: RedisServer) -> AsyncIterator[MakeStore]:
    async with AsyncExitStack() as stores:

        async def make_store(*, keep_seconds: float = 300, keep_bytes: int = 0) -> SharedStore:
            with server.client() as client:
                client.flushall()
            return await stores.enter_async_context(redis_store(server.url, keep_seconds=keep_seconds))

        yield make_store


class TestRedisStore(StoreContract):
    pass


class TestRedisRetention(RetentionContract):
    pass


class RedisMachine(StoreMachine):
    """The server bounds its memory by itself, all of it: there are as many bytes as anybody wants."""

    @initialize(keep_bytes=st.just(1_000_000_000))
    def begin(self, keep_bytes: int) -> None:
        self.context = ExitStack()
        self.context.enter_context(patch("tokenwire.runs.followers.MOST", PACE))
        self.server = self.context.enter_context(RedisServer(Path(self.context.enter_context(TemporaryDirectory()))))
        self.runner = self.context.enter_context(asyncio.Runner())
        self.clock = cast(ClockLoop, RedisClock(self.server, self.runner.get_loop().time))
        self.keep_bytes = keep_bytes
        self.store = self.do(self.make_store(keep_seconds=KEEP_SECONDS, keep_bytes=keep_bytes))
        self.context.callback(lambda: self.do(self.store.close()))
        self.current = {}
        self.closed = []

    async def make_store(self, *, keep_seconds: float, keep_bytes: int) -> SharedStore:  # noqa: ARG002
        store = SharedStore(RedisBackend(self.server.url, keep_seconds=keep_seconds))
        await store.start()
        return store

    def teardown(self) -> None:
        if hasattr(self, "context"):
            self.context.close()


TestRedisMachine = RedisMachine.TestCase
TestRedisMachine.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)

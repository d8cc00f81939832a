"""What every test of the accounts may ask for."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tokenwire.accounts.contract import KEEP_ENTRIES, Accounts

from ..runs.redis_server import RedisServer
from .stores import Clock, Kind, Place


class Open(Protocol):
    """Opens accounts as one more process would."""

    async def __call__(self, *, keep: int = KEEP_ENTRIES) -> Accounts: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def place(kind: Kind, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """One with nothing in it."""
    if kind == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        with server.client() as client:
            client.flushall()
        return Place(kind, server.url)
    return Place(kind, str(tmp_path / "runs.db") if kind == "sqlite" else "")


@pytest.fixture
async def open_(place: Place, clock: Clock) -> AsyncIterator[Open]:
    async with AsyncExitStack() as opened:

        async def open_(*, keep: int = KEEP_ENTRIES) -> Accounts:
            accounts = place.accounts(clock, keep=keep)
            opened.push_async_callback(accounts.close)
            await accounts.start()
            return accounts

        yield open_

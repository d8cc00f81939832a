"""What every test of the accounting may ask for."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tokenwire.accounts.contract import Accounts
from tokenwire.config.accounts import Budgets, Rates
from tokenwire.ledger.opening import Openings
from tokenwire.testing import ThreadedUpstream

from ..accounts.stores import Clock, Kind, Place
from ..conftest import Serve
from ..runs.redis_server import RedisServer
from .served import Limited
from .stage import Stage

Staged = Callable[..., Stage]


@pytest.fixture
async def staged() -> AsyncIterator[Staged]:
    """``staged(rates, budgets)`` makes a stage."""
    async with AsyncExitStack() as stack:

        def staged(
            rates: Rates | None = None,
            budgets: Budgets | None = None,
            accounts: Accounts | None = None,
            openings: Openings | None = None,
            clock: Clock | None = None,
        ) -> Stage:
            stage = Stage(rates, budgets, accounts, openings, clock)
            stack.push_async_callback(stage.close)
            return stage

        yield staged


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def place(kind: Kind, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A store that nobody has used."""
    if kind == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        with server.client() as client:
            client.flushall()
        return Place(kind, server.url)
    return Place(kind, str(tmp_path / "runs.db") if kind == "sqlite" else "")


@pytest.fixture
def limited(request: pytest.FixtureRequest, serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> Limited:
    """Servers on a store that nobody has used: of the kind of the test's parameter ``kind``, or SQLite."""
    if "kind" not in request.fixturenames:
        return Limited(serve, f"sqlite:///{tmp_path}/runs.db", upstream)
    place: Place = request.getfixturevalue("place")
    return Limited(serve, place.address, upstream)

"""What every test of the accounting may ask for."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tokenwire.accounts.contract import Accounts
from tokenwire.config.accounts import Budgets, Rates
from tokenwire.testing import ThreadedUpstream

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
            rates: Rates | None = None, budgets: Budgets | None = None, accounts: Accounts | None = None
        ) -> Stage:
            stage = Stage(rates, budgets, accounts)
            stack.push_async_callback(stage.close)
            return stage

        yield staged


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def limited(request: pytest.FixtureRequest, serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> Limited:
    """Servers on a store that nobody has used: of the kind of the test's parameter ``kind``, or SQLite."""
    kind = request.getfixturevalue("kind") if "kind" in request.fixturenames else "sqlite"
    store = {"memory": "memory", "sqlite": f"sqlite:///{tmp_path}/runs.db"}.get(kind)
    if store is None:
        server: RedisServer = request.getfixturevalue("redis")
        with server.client() as client:
            client.flushall()
        store = server.url
    return Limited(serve, store, upstream)

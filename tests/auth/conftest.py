"""A server that asks everybody who they are, and the keys that it knows."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any, Literal, NamedTuple, TypeVar

import pytest

from tokenwire.accounts.address import open_records
from tokenwire.gate.keys import Keys
from tokenwire.runs.address import parse_store
from tokenwire.testing import ScriptedUpstream, ThreadedUpstream

from ..runs.redis_server import RedisServer
from ..server import Server, served

APP = "https://app.example"
SHARED = "a shared secret of thirty-two bytes!"
CONFIG = """
store = "{store}"
model = "small"

[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-of-small"
retries = 0

[models.large]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-of-large"
retries = 0

[personas.poet]
system = "Rhyme."

[runs]
breaker_seconds = 0

[cors]
origins = ["https://app.example"]

[accounting]
ledger = true

[auth]
keys = true
cookie = "session"

[auth.jwt]
issuer = "https://login.example"
audience = "tokenwire"
secret_env = "SHARED"
"""

_T = TypeVar("_T")


class Made(NamedTuple):
    """A key, and its public id."""

    id: str
    text: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.text}"}


class KeyRing:
    """The keys of a store, as the command has them: in a process that is not the server's."""

    def __init__(self, store: str) -> None:
        self._store = parse_store(store)

    def create(self, **what: Any) -> Made:
        issued = self._do(lambda keys: keys.create(**what))
        return Made(issued.record.id, issued.text.reveal())

    def revoke(self, key: Made) -> None:
        self._do(lambda keys: keys.revoke(key.id))

    def rotate(self, key: Made, *, overlap: float = 0.0) -> Made:
        issued = self._do(lambda keys: keys.rotate(key.id, overlap=overlap))
        return Made(key.id, issued.text.reveal())

    def _do(self, work: Callable[[Keys], Awaitable[_T]]) -> _T:
        async def do() -> _T:
            records = await open_records(self._store)
            try:
                return await work(Keys(records))
            finally:
                await records.close()

        return asyncio.run(do())


@pytest.fixture
def upstream(address: str) -> Iterator[ThreadedUpstream]:
    """The model, of this test alone."""
    with ScriptedUpstream.in_thread(int(address.rpartition(":")[2])) as upstream:
        yield upstream


@pytest.fixture(params=["sqlite", "redis"], scope="module")
def kind(request: pytest.FixtureRequest) -> Literal["sqlite", "redis"]:
    kind: Literal["sqlite", "redis"] = request.param
    return kind


@pytest.fixture(scope="module")
def store(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp(kind)
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'runs.db'}"
        return
    with RedisServer(folder) as server:
        yield server.url


@pytest.fixture
def keys(store: str) -> KeyRing:
    return KeyRing(store)


@pytest.fixture(scope="module")
def server(store: str, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its log holds no traceback in the end."""
    folder = tmp_path_factory.mktemp("server")
    config, log = folder / "tokenwire.toml", folder / "log"
    config.write_text(CONFIG.format(store=store, upstream=f"http://{address}/v1"))
    with ExitStack() as stack:
        yield stack.enter_context(served(log, "--config", config, "--log-level", "debug", env={"SHARED": SHARED}))
    assert "Traceback" not in log.read_text(), log.read_text()

"""A server that asks everybody who they are, and the keys that it knows."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import pytest

from tokenwire.accounts.address import open_records
from tokenwire.gate.keys import Keys
from tokenwire.runs.address import parse_store
from tokenwire.testing import ThreadedUpstream

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


@pytest.fixture(params=["sqlite", "redis"])
def kind(request: pytest.FixtureRequest) -> Literal["sqlite", "redis"]:
    kind: Literal["sqlite", "redis"] = request.param
    return kind


@pytest.fixture
def store(kind: str, tmp_path: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'runs.db'}"
        return
    with RedisServer(tmp_path) as server:
        yield server.url


@pytest.fixture
def keys(store: str) -> KeyRing:
    return KeyRing(store)


@pytest.fixture
def server(store: str, upstream: ThreadedUpstream, tmp_path: Path) -> Iterator[Server]:
    """Its log holds no traceback in the end."""
    config = tmp_path / "tokenwire.toml"
    config.write_text(CONFIG.format(store=store, upstream=upstream.base_url))
    with ExitStack() as stack:
        log = tmp_path / "log"
        yield stack.enter_context(served(log, "--config", config, "--log-level", "debug", env={"SHARED": SHARED}))
    assert "Traceback" not in log.read_text(), log.read_text()

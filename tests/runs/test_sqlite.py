"""The SQLite store keeps the contract, also over a restart and between processes."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from tokenwire.runs.shared import SharedStore
from tokenwire.runs.sqlite import SqliteBackend

from .contract import CapacityContract, MakeStore, RetentionContract, StoreContract
from .machine import StoreMachine


async def sqlite_store(path: Path, *, keep_seconds: float = 300, keep_bytes: int = 1_000_000) -> SharedStore:
    clock = asyncio.get_running_loop().time
    store = SharedStore(SqliteBackend(path, keep_seconds=keep_seconds, keep_bytes=keep_bytes, clock=clock))
    await store.start()
    return store


@pytest.fixture
async def make_store(tmp_path: Path) -> AsyncIterator[MakeStore]:
    stores: list[SharedStore] = []

    async def make_store(*, keep_seconds: float = 300, keep_bytes: int = 1_000_000) -> SharedStore:
        path = tmp_path / f"{len(stores)}.db"
        stores.append(await sqlite_store(path, keep_seconds=keep_seconds, keep_bytes=keep_bytes))
        return stores[-1]

    yield make_store
    for store in stores:
        await store.close()


class TestSqliteStore(StoreContract):
    pass


class TestSqliteRetention(RetentionContract):
    pass


class TestSqliteCapacity(CapacityContract):
    pass


class SqliteMachine(StoreMachine):
    numbers = itertools.count()

    async def make_store(self, *, keep_seconds: float, keep_bytes: int) -> SharedStore:
        self.folder = TemporaryDirectory()
        path = Path(self.folder.name) / "runs.db"
        return await sqlite_store(path, keep_seconds=keep_seconds, keep_bytes=keep_bytes)

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.do(self.store.close())
            self.folder.cleanup()
        super().teardown()


TestSqliteMachine = SqliteMachine.TestCase
TestSqliteMachine.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)

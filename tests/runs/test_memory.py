"""The memory store keeps the contract."""

import pytest
from hypothesis import settings

from tokenwire.runs.memory import MemoryStore

from .contract import CapacityContract, MakeStore, RetentionContract, StoreContract
from .machine import StoreMachine


@pytest.fixture
def make_store() -> MakeStore:
    async def make_store(*, keep_seconds: float = 300, keep_bytes: int = 1_000_000) -> MemoryStore:
        return MemoryStore(keep_seconds=keep_seconds, keep_bytes=keep_bytes)

    return make_store


class TestMemoryStore(StoreContract):
    pass


class TestMemoryRetention(RetentionContract):
    pass


class TestMemoryCapacity(CapacityContract):
    pass


class MemoryMachine(StoreMachine):
    async def make_store(self, *, keep_seconds: float, keep_bytes: int) -> MemoryStore:
        return MemoryStore(keep_seconds=keep_seconds, keep_bytes=keep_bytes)


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)

"""The memory store keeps the contract."""

import pytest
from hypothesis import settings

from tokenwire.runs.memory import MemoryStore

from .contract import MakeStore, RetentionContract, StoreContract
from .machine import StoreMachine


@pytest.fixture
def make_store() -> MakeStore:
    return MemoryStore


class TestMemoryStore(StoreContract):
    pass


class TestMemoryRetention(RetentionContract):
    pass


class MemoryMachine(StoreMachine):
    def make_store(self, *, keep_seconds: float, keep_bytes: int) -> MemoryStore:
        return MemoryStore(keep_seconds=keep_seconds, keep_bytes=keep_bytes)


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)

"""The three places where accounts and records are kept, and the time they go by."""

import time
from pathlib import Path
from typing import Literal

from tokenwire.accounts.contract import KEEP_ENTRIES, Accounts
from tokenwire.accounts.memory import MemoryAccounts
from tokenwire.accounts.redis import RedisAccounts
from tokenwire.accounts.sqlite import SqliteAccounts

Kind = Literal["memory", "sqlite", "redis"]
KINDS: tuple[Kind, ...] = ("memory", "sqlite", "redis")
SHARED: tuple[Kind, ...] = ("sqlite", "redis")


class Clock:
    """A time of day that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Place:
    """Where accounts are kept: a file's path, or a server's URL."""

    def __init__(self, kind: Kind, where: str = "") -> None:
        self.kind = kind
        self.where = where
        self._memory: MemoryAccounts | None = None

    def accounts(self, clock: Clock, *, keep: int = KEEP_ENTRIES) -> Accounts:
        """Those of one process; in memory there are no others."""
        if self.kind == "sqlite":
            return SqliteAccounts(Path(self.where), keep=keep, clock=clock)
        if self.kind == "redis":
            return RedisAccounts(self.where, keep=keep, clock=clock)
        self._memory = self._memory or MemoryAccounts(keep=keep, clock=clock)
        return self._memory

    @property
    def address(self) -> str:
        """As a configuration has it."""
        return f"sqlite:///{self.where}" if self.kind == "sqlite" else self.where or "memory"

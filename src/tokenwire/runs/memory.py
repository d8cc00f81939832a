"""Logs in the memory of this process: the default, gone when the process ends."""

import asyncio
from collections.abc import Sequence

from .log import RunInfo, Wake


class MemoryLog:
    """A list of records and whoever waits for the next one."""

    def __init__(self, info: RunInfo, key: str, store: "MemoryStore") -> None:
        self.info = info
        self.key = key
        self.size = 0
        self.closed = False
        self._store = store
        self._records: list[bytes] = []
        self._followers: list[Wake] = []

    @property
    def length(self) -> int:
        return len(self._records)

    def append(self, payloads: Sequence[bytes]) -> None:
        if self.closed:
            raise RuntimeError("a closed log takes no more records")
        self._records.extend(payloads)
        for payload in payloads:
            self.size += len(payload)
        for wake in self._followers:
            wake()

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        for wake in self._followers:
            wake()
        self._store._finished(self)

    def read(self, after: int, limit: int) -> Sequence[bytes]:
        return self._records[after : after + limit]

    def follow(self, wake: Wake) -> None:
        self._followers.append(wake)

    def unfollow(self, wake: Wake) -> None:
        self._followers.remove(wake)


class MemoryStore:
    """Keeps a closed log for ``keep_seconds``, and fewer of them when together they outgrow ``keep_bytes``."""

    def __init__(self, *, keep_seconds: float = 300, keep_bytes: int = 256 * 1024 * 1024) -> None:
        self._keep_seconds = keep_seconds
        self._keep_bytes = keep_bytes
        self._logs: dict[str, MemoryLog] = {}
        # closed logs, oldest first, with the time from which they may go
        self._closed: dict[str, float] = {}
        self._closed_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    async def open(self, info: RunInfo) -> tuple[MemoryLog, bool]:
        key = info.key
        log = self._logs.get(key)
        if log is not None:
            return log, False
        log = self._logs[key] = MemoryLog(info, key, self)
        return log, True

    async def find(self, key: str) -> MemoryLog | None:
        return self._logs.get(key)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __len__(self) -> int:
        return len(self._logs)

    def _finished(self, log: MemoryLog) -> None:
        now = asyncio.get_running_loop().time()
        self._closed[log.key] = now + self._keep_seconds
        self._closed_bytes += _footprint(log)
        self._drop(now)

    def _drop(self, now: float) -> None:
        while self._closed:
            key, until = next(iter(self._closed.items()))
            if until > now and self._closed_bytes <= self._keep_bytes:
                break
            del self._closed[key]
            self._closed_bytes -= _footprint(self._logs.pop(key))
        if self._timer is None and self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(next(iter(self._closed.values())), self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._drop(asyncio.get_running_loop().time())


def _footprint(log: MemoryLog) -> int:
    # what objects and lists weigh around the payloads: measured (docs/architecture.md, memory)
    return log.size + 80 * log.length + 650

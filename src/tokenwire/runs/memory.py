"""Logs in the memory of this process: the default, gone when the process ends."""

import asyncio
from collections.abc import Callable, Sequence

from .followers import Followers
from .log import RunInfo, Wake, Writer

KEEP_BYTES = 64 * 1024 * 1024


class MemoryLog:
    """A list of records and whoever waits for the next one."""

    failure = None

    def __init__(self, info: RunInfo, key: str, store: "MemoryStore") -> None:
        self.info = info
        self.key = key
        self.size = 0
        self.closed = False
        self.taken = 0
        self._store = store
        self._records: list[bytes] = []
        self._followers = Followers()
        self._writer: Writer | None = None

    @property
    def length(self) -> int:
        return len(self._records)

    @property
    def readers(self) -> int:
        return len(self._followers)

    def write(self, writer: Writer) -> None:
        self._writer = writer

    def append(self, payloads: Sequence[bytes]) -> None:
        if self.closed:
            raise RuntimeError("a closed log takes no more records")
        self._records.extend(payloads)
        for payload in payloads:
            self.size += len(payload)
        self._followers.wake()

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._followers.wake_all()
        self._store._finished(self)
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.concluded(lost=False)

    def read(self, after: int, limit: int) -> Sequence[bytes]:
        records = self._records[after : after + limit]
        self.taken = max(self.taken, after + len(records))
        return records

    def follow(self, wake: Wake) -> None:
        self._followers.add(wake)

    def unfollow(self, wake: Wake) -> None:
        self._followers.remove(wake)


class MemoryStore:
    """Keeps a closed log for ``keep_seconds``, and fewer of them when together they outgrow ``keep_bytes``."""

    def __init__(self, *, keep_seconds: float = 300, keep_bytes: int = KEEP_BYTES) -> None:
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

    def watch(self, buried: Callable[[RunInfo], None]) -> None:
        """Nobody else's run can be here."""

    async def find(self, key: str) -> MemoryLog | None:
        return self._logs.get(key)

    async def cancel(self, key: str) -> None:
        """There is no other process."""

    async def attended(self, key: str) -> bool:  # noqa: ARG002
        return False

    async def peers(self) -> int:
        return 0

    async def retire(self) -> None:
        """Nobody counts."""

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __len__(self) -> int:
        return len(self._logs)

    def _finished(self, log: MemoryLog) -> None:
        now = asyncio.get_running_loop().time()
        self._closed[log.key] = now + self._keep_seconds
        self._closed_bytes += footprint(log.size, log.length)
        self._drop(now)

    def _drop(self, now: float) -> None:
        while self._closed:
            key, until = next(iter(self._closed.items()))
            if until > now and self._closed_bytes <= self._keep_bytes:
                break
            del self._closed[key]
            log = self._logs.pop(key)
            self._closed_bytes -= footprint(log.size, log.length)
        if self._timer is None and self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(next(iter(self._closed.values())), self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._drop(asyncio.get_running_loop().time())


def footprint(size: int, length: int) -> int:
    """Bytes of memory that a log of so many bytes in so many records takes (docs/architecture.md, memory)."""
    # what objects and lists weigh around the payloads: measured
    return size + 80 * length + 650

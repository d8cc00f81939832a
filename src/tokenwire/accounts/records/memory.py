"""Records of one process, gone with it."""

import math
import time
from collections.abc import Callable, Mapping

_SWEEP_EVERY = 1000


class MemoryRecords:
    """See :class:`.contract.Records`."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._records: dict[str, tuple[bytes, float]] = {}
        self._puts = 0

    async def start(self) -> None:
        """See :class:`.contract.Records`."""

    async def put(self, name: str, value: bytes, expires_in: float | None = None) -> None:
        """See :class:`.contract.Records`."""
        now = self._clock()
        if self._puts % _SWEEP_EVERY == 0:
            self._records = {name: record for name, record in self._records.items() if record[1] > now}
        self._puts += 1
        self._records[name] = (value, math.inf if expires_in is None else now + expires_in)

    async def get(self, name: str) -> bytes | None:
        """See :class:`.contract.Records`."""
        return self._live(self._records.get(name))

    async def take(self, name: str) -> bytes | None:
        """See :class:`.contract.Records`."""
        return self._live(self._records.pop(name, None))

    async def delete(self, name: str) -> None:
        """See :class:`.contract.Records`."""
        self._records.pop(name, None)

    async def list(self, prefix: str) -> Mapping[str, bytes]:
        """See :class:`.contract.Records`."""
        now = self._clock()
        return {
            name: value
            for name, (value, until) in sorted(self._records.items())
            if name.startswith(prefix) and until > now
        }

    async def close(self) -> None:
        """See :class:`.contract.Records`."""

    def _live(self, record: tuple[bytes, float] | None) -> bytes | None:
        return record[0] if record is not None and record[1] > self._clock() else None

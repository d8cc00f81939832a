"""How long the store takes."""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from ..runs.backend import Append, Backend, Listener, Orphan, Stored, Written
from ..runs.log import RunInfo

_T = TypeVar("_T")

Told = Callable[[str, float], None]
"""Is told of an operation, and how many seconds it took."""


class TimedBackend:
    """A backend as it is, which tells of what somebody waits for, whether it succeeds or not."""

    def __init__(self, backend: Backend, told: Told) -> None:
        self.worker = backend.worker
        self._backend = backend
        self._told = told

    async def start(self, listener: Listener) -> None:
        await self._backend.start(listener)

    async def claim(self, info: RunInfo) -> Stored:
        return await self._timed("claim", self._backend.claim(info))

    async def load(self, key: str, after: int) -> Stored | None:
        return await self._timed("load", self._backend.load(key, after))

    async def write(self, appends: Sequence[Append]) -> Sequence[Written]:
        return await self._timed("write", self._backend.write(appends))

    def follow(self, key: str, after: int) -> None:
        self._backend.follow(key, after)

    def unfollow(self, key: str) -> None:
        self._backend.unfollow(key)

    async def cancel(self, key: str) -> None:
        await self._timed("cancel", self._backend.cancel(key))

    async def attend(self, keys: Collection[str], seconds: float) -> None:
        await self._backend.attend(keys, seconds)

    async def attended(self, key: str) -> bool:
        return await self._backend.attended(key)

    async def renew(self, seconds: float, *, serving: bool) -> bool:
        return await self._timed("renew", self._backend.renew(seconds, serving=serving))

    async def peers(self) -> int:
        return await self._backend.peers()

    async def orphans(self) -> Sequence[Orphan]:
        return await self._backend.orphans()

    async def bury(self, orphan: Orphan, payload: bytes) -> bool:
        return await self._backend.bury(orphan, payload)

    async def close(self) -> None:
        await self._backend.close()

    async def _timed(self, operation: str, call: Awaitable[_T]) -> _T:
        began = time.perf_counter()
        try:
            return await call
        finally:
            self._told(operation, time.perf_counter() - began)

"""An async context manager, hosted by a thread for code without a loop."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Self

from ..loop_thread import LoopThread


class Hosted:
    """Enters what it hosts in a daemon thread with a loop of its own, and leaves it there."""

    def __init__(self, hosted: AbstractAsyncContextManager[Any], name: str) -> None:
        self._hosted = hosted
        self._name = name

    def __enter__(self) -> Self:
        self._thread = LoopThread(self._name)
        try:
            self._thread.run(self._hosted.__aenter__())
        except BaseException:
            self._thread.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._thread.run(self._leave())
        finally:
            self._thread.close()

    async def _leave(self) -> None:
        await self._hosted.__aexit__(None, None, None)

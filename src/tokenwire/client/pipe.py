"""From who pushes to who pulls."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from .abort import Aborted, interruptible

if TYPE_CHECKING:
    from .abort import AbortSignal

T = TypeVar("T")


class Pipe(AsyncIterator[T], Generic[T]):
    """An unbounded queue that is iterated by one reader.

    It ends when the signal is aborted, and after ``end``, ``fail`` or ``aclose``; what was pushed before ``end`` or
    ``fail`` is still read.

    :param on_close: awaited once when the reader is done with it.
    """

    def __init__(
        self, abort_signal: AbortSignal | None = None, on_close: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._signal = abort_signal
        self._on_close = on_close
        self._items: deque[T] = deque()
        self._failure: Exception | None = None
        self._ended = False
        self._filled = asyncio.Event()
        self._idle = asyncio.Event()
        self._begun = False

    def push(self, item: T) -> None:
        """Adds an item."""
        self._items.append(item)
        if not self._ended:
            self._idle.clear()
        self._filled.set()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._filled.set()

    def fail(self, error: Exception) -> None:
        """Nothing more will come, and this is why."""
        self._failure = error
        self.end()

    def take_over(self, former: Pipe[T]) -> None:
        """Takes what the reader of another pipe has left; that one gets nothing more."""
        self._items.extend(former._items)
        former._items.clear()
        former._idle.set()
        if self._items:
            self._filled.set()

    async def taken(self, abort_signal: AbortSignal | None = None) -> None:
        """Returns once the reader has dealt with all there is and waits for more, or is gone, or there is none."""
        if not self._begun:
            return
        try:
            with interruptible(abort_signal):
                await self._idle.wait()
        except Aborted:
            return

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        self._begun = True
        try:
            while not self._items and not self._ended:
                self._idle.set()
                self._filled.clear()
                with interruptible(self._signal):
                    await self._filled.wait()
            if self._signal is not None and self._signal.aborted:
                raise Aborted
        except Aborted:
            await self.aclose()
            raise StopAsyncIteration from None
        if self._items:
            return self._items.popleft()
        failure, self._failure = self._failure, None
        await self.aclose()
        if failure is not None:
            raise failure
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Ends the reading; what is left is forgotten."""
        self._items.clear()
        self._idle.set()
        self.end()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            await on_close()

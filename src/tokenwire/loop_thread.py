"""An event loop in a thread of its own, for code that has none or is inside one that runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Future, wait
from typing import Any, TypeVar

T = TypeVar("T")
_END: Any = object()


class LoopThread:
    """Runs coroutines for other threads. It is started by its making, and ended by :meth:`close`.

    Whoever waits can be interrupted (Ctrl-C): what is waited for is cancelled, and has ended when the interrupt goes
    on. Nothing but :meth:`call` is for the thread itself: :class:`RuntimeError`.
    """

    def __init__(self, name: str) -> None:
        self._waited_for: set[Future[Any]] = set()
        started: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), name=name, daemon=True)
        self._thread.start()
        started.result()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Returns what the coroutine returns, or raises what it raises."""
        if self._is_own_thread or not self.is_open:
            coroutine.close()
            raise RuntimeError(
                "In a callback, use the asynchronous client: this thread would wait for itself."
                if self._is_own_thread
                else "This is closed."
            )
        outcome: Future[T] = Future()
        tasks: list[asyncio.Task[T]] = []

        def start() -> None:
            tasks.append(self._loop.create_task(coroutine))
            tasks[0].add_done_callback(lambda task: _settle(outcome, task))

        def cancel() -> None:
            tasks[0].cancel()

        self._waited_for.add(outcome)
        self._loop.call_soon_threadsafe(start)
        try:
            return outcome.result()
        except BaseException:
            if not outcome.done():
                self._loop.call_soon_threadsafe(cancel)
                wait([outcome])
            raise
        finally:
            self._waited_for.discard(outcome)

    def call(self, function: Callable[[], T]) -> T:
        """Returns what the function returns when it is called in the thread, or raises what it raises.

        Once the thread is closed there is nobody it could disturb, and it is just called.
        """
        if self._is_own_thread or not self.is_open:
            return function()

        async def called() -> T:
            return function()

        return self.run(called())

    def iterate(self, source: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """What the generator yields. It is closed when the iteration ends or is left."""

        async def following() -> list[T]:
            return [item] if (item := await anext(source, _END)) is not _END else []

        async def closing() -> None:
            await source.aclose()

        try:
            while items := self.run(following()):
                yield from items
        finally:
            if self.is_open:
                self.run(closing())

    def close(self) -> None:
        """Ends the thread, once nobody waits for it any more. Tasks that are left are cancelled."""
        if self.is_open:
            wait(list(self._waited_for))
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()

    @property
    def is_open(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def _is_own_thread(self) -> bool:
        return threading.current_thread() is self._thread

    async def _serve(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        started.set_result(None)
        await self._closing.wait()


def _settle(outcome: Future[T], task: asyncio.Task[T]) -> None:
    if task.cancelled():
        outcome.cancel()
        outcome.set_running_or_notify_cancel()
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())

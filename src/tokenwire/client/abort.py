"""Stopping what is under way from outside: the twin of the DOM's ``AbortController``.

Cancelling a task does the same for whoever awaits in it. A signal is for what outlives a task, or is only one of the
things a task does. Everything here belongs to one event loop: from another thread use ``call_soon_threadsafe``.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

DETACHED = "detached"
"""The reason of a signal whose owner looks away: what is under way may go on without being read."""


class Aborted(Exception):
    """A wait ended because its signal was aborted."""


class AbortSignal:
    """Tells whether, and when, somebody wants an end."""

    def __init__(self) -> None:
        self._aborted = False
        self._reason: Any = None
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._next_key = 0

    @property
    def aborted(self) -> bool:
        """Whether it was aborted."""
        return self._aborted

    @property
    def reason(self) -> Any:
        """What ``abort`` was given."""
        return self._reason

    def add_callback(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Calls back once when it is aborted, or at once if it is. Returns what takes the callback back."""
        if self._aborted:
            callback()
            return _nothing
        key = self._next_key
        self._next_key += 1
        self._callbacks[key] = callback
        return lambda: self._take_back(key)

    async def wait(self) -> Any:
        """Returns the reason, once it is aborted."""
        if not self._aborted:
            aborted = asyncio.Event()
            take_back = self.add_callback(aborted.set)
            try:
                await aborted.wait()
            finally:
                take_back()
        return self._reason

    def _abort(self, reason: Any) -> None:
        if self._aborted:
            return
        self._aborted = True
        self._reason = reason
        callbacks, self._callbacks = self._callbacks, {}
        for callback in callbacks.values():
            callback()

    def _take_back(self, key: int) -> None:
        self._callbacks.pop(key, None)


class AbortController:
    """Whoever holds it can abort whatever was given its ``signal``."""

    def __init__(self) -> None:
        self.signal = AbortSignal()

    def abort(self, reason: Any = None) -> None:
        """Aborts the signal; the first time counts."""
        self.signal._abort(reason)


class interruptible:  # noqa: N801 - a context manager, as asyncio.timeout is
    """``with interruptible(signal):`` ends what is awaited inside, with :class:`Aborted`, when the signal is aborted.

    As with ``asyncio.timeout`` what is awaited sees a cancellation. Without a signal it does nothing.
    """

    def __init__(self, signal: AbortSignal | None) -> None:
        self._signal = signal
        self._handle: asyncio.Handle | None = None
        self._interrupted = False

    def __enter__(self) -> Self:
        signal = self._signal
        if signal is None:
            return self
        if signal.aborted:
            raise Aborted
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("there is no task to interrupt")
        self._task = task
        self._cancelling = task.cancelling()
        self._take_back = signal.add_callback(self._on_abort)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._signal is None:
            return
        self._take_back()
        if self._handle is not None:
            self._handle.cancel()
        if self._interrupted and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise Aborted from error

    def _on_abort(self) -> None:
        # not at once: this may be the task itself, which is not awaiting anything then
        self._handle = asyncio.get_running_loop().call_soon(self._interrupt)

    def _interrupt(self) -> None:
        self._interrupted = True
        self._task.cancel()


def _nothing() -> None:
    """Takes back what is not there."""

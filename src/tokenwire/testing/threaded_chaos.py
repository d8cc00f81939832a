"""The chaos proxy for code without a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from .chaos import ChaosProxy
from .fault import Ending
from .loop_thread import LoopThread
from .received import PATIENCE
from .tunnel import Traffic


class ThreadedChaosProxy:
    """A `ChaosProxy` in a daemon thread with a loop of its own; the same calls, but they block."""

    def __init__(self, proxy: ChaosProxy) -> None:
        self._proxy = proxy

    def __enter__(self) -> Self:
        self._thread = LoopThread("chaos proxy")
        try:
            self._thread.wait(self._proxy.__aenter__())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._thread.wait(self._proxy.__aexit__())
        finally:
            self._thread.stop()

    @property
    def url(self) -> str:
        """The target's URL with this proxy's address in it."""
        return self._proxy.url

    @property
    def open(self) -> int:
        """Connections open now."""
        return self._proxy.open

    @property
    def traffic(self) -> Traffic:
        """What has passed so far, and what went wrong."""
        return self._proxy.traffic

    def sever(self, ending: Ending = "reset") -> None:
        """As `ChaosProxy.sever`."""
        self._thread.wait(self._sever(ending))

    def release(self) -> None:
        """As `ChaosProxy.release`."""
        self._thread.wait(self._release())

    def until(self, condition: Callable[[], bool], timeout: float | None = PATIENCE) -> None:
        """Returns once a condition holds; it is called in the proxy's thread."""
        self._thread.wait(self._proxy.until(condition, timeout))

    async def _sever(self, ending: Ending) -> None:
        self._proxy.sever(ending)

    async def _release(self) -> None:
        self._proxy.release()

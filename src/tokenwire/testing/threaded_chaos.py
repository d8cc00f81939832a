"""The chaos proxy for code without a loop."""

from __future__ import annotations

from collections.abc import Callable

from .chaos import ChaosProxy
from .fault import Ending
from .hosted import Hosted
from .received import PATIENCE
from .tunnel import Traffic


class ThreadedChaosProxy(Hosted):
    """A `ChaosProxy` in a daemon thread with a loop of its own; the same calls, but they block."""

    def __init__(self, proxy: ChaosProxy) -> None:
        super().__init__(proxy, "chaos proxy")
        self._proxy = proxy

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
        self._thread.run(self._sever(ending))

    def release(self) -> None:
        """As `ChaosProxy.release`."""
        self._thread.run(self._release())

    def until(self, condition: Callable[[], bool], timeout: float | None = PATIENCE) -> None:
        """Returns once a condition holds; it is called in the proxy's thread."""
        self._thread.run(self._proxy.until(condition, timeout))

    async def _sever(self, ending: Ending) -> None:
        self._proxy.sever(ending)

    async def _release(self) -> None:
        self._proxy.release()

"""A request as the scripted upstream got it, and how far its reply is."""
# ruff: noqa: ASYNC109  # a test wants the failure to say what it was waiting for

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from .changes import Changes
from .script import Write

PATIENCE = 10.0
"""Seconds that a wait lasts when its caller does not say."""


class Received:
    """One request. The attributes are for reading; the waits belong to the upstream's loop."""

    def __init__(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Any,
        changes: Changes,
        hold: bool | Literal["head"] = False,
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        """By lower-case name."""
        self.body = body
        """The parsed JSON; None where there was none."""
        self.sent = 0
        """Deltas on the wire so far, each to its last byte."""
        self.closed: float | None = None
        """The loop's time at which the peer was seen to close or reset before the reply's end."""
        self.finished = False
        """Whether the reply was played to its end: a cut or a reset is an end, a stall has none."""
        self._changes = changes
        self._released: float = {False: math.inf, True: 0, "head": -1}[hold]

    def __repr__(self) -> str:
        state = "finished" if self.finished else "open" if self.closed is None else "closed by the peer"
        return f"<Received {self.method} {self.path}: {self.sent} deltas sent, {state}>"

    async def step(self, n: int = 1, timeout: float | None = PATIENCE) -> None:
        """Lets `n` more deltas of a held reply go, and returns once they are on the wire.

        `step(0)` lets no more than a held head go. The end after the last delta stays held until `release`.
        """
        self._released = max(self._released, 0) + n
        target = self._released
        self._changes.announce()
        try:
            await self._changes.until(lambda: self.sent >= target or self._over, timeout)
        except TimeoutError:
            raise TimeoutError(f"{target} deltas were to be sent by now: {self!r}") from None
        if self.sent < target:
            raise RuntimeError(f"the reply ended before {target} deltas were sent: {self!r}")

    def release(self) -> None:
        """Lets everything that is held go."""
        self._released = math.inf
        self._changes.announce()

    async def wait_finished(self, timeout: float | None = PATIENCE) -> None:
        """Returns once the reply was played to its end; RuntimeError if the peer closed before."""
        await self._wait_over("the reply's end", timeout)
        if not self.finished:
            raise RuntimeError(f"the peer closed before the reply's end: {self!r}")

    async def wait_closed(self, timeout: float | None = PATIENCE) -> float:
        """Returns the time at which the peer closed; RuntimeError if the reply came to its end before."""
        await self._wait_over("the peer's close", timeout)
        if self.closed is None:
            raise RuntimeError(f"the reply came to its end, the peer did not close before: {self!r}")
        return self.closed

    def may_go(self, write: Write) -> bool:
        """Whether nothing holds this write back."""
        return self._released >= (math.inf if write.final else write.begun)

    @property
    def _over(self) -> bool:
        return self.finished or self.closed is not None

    async def _wait_over(self, awaited: str, timeout: float | None) -> None:
        try:
            await self._changes.until(lambda: self._over, timeout)
        except TimeoutError:
            raise TimeoutError(f"still waiting for {awaited}: {self!r}") from None

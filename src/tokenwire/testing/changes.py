"""Waiting for a state instead of for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Changes:
    """Wakes those who wait for a condition, each time something that conditions look at has changed."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], Callable[[], bool]] = {}

    def announce(self) -> None:
        """Something changed: whoever's condition now holds goes on."""
        for woken, condition in list(self._waiting.items()):
            if woken.done():
                continue
            try:
                holds = condition()
            except Exception as error:  # noqa: BLE001  # it belongs to whoever wrote the condition
                woken.set_exception(error)
            else:
                if holds:
                    woken.set_result(None)

    async def until(self, condition: Callable[[], bool], within: float | None = None) -> None:
        """Returns once the condition holds; TimeoutError if that takes more than `within` seconds."""
        if condition():
            return
        woken = asyncio.get_running_loop().create_future()
        self._waiting[woken] = condition
        try:
            async with asyncio.timeout(within):
                await woken
        finally:
            del self._waiting[woken]

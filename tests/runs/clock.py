"""Time that a test moves."""

import asyncio


class ClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still until :meth:`advance`."""

    _now = 0.0

    def time(self) -> float:
        return self._now

    async def advance(self, seconds: float) -> None:
        """Lets everything that is ready run, moves the time on, and lets everything run that is due by then."""
        await self._settle()
        self._now += seconds
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

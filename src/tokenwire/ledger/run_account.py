"""The account of one run of this process, from its question to its row."""

import asyncio
import time
from collections.abc import Callable, Coroutine

from ..accounts.contract import AccountsAway
from ..errors import Code, Failure
from ..observe.limits import limits_hit
from ..runs.run import Run, Source
from .charge import Charge
from .meter import Meter
from .metered_source import MeteredSource
from .opening import Opening

Spawn = Callable[[Coroutine[None, None, None]], asyncio.Task[None]]
_PATIENCE = 60.0
"""Seconds from the end of a run in which its outcome is told here, or not at all."""


class RunAccount:
    """Pays for an answer ahead of it, a step at a time, and ends the run where that is not granted any more.

    :param charge: what the question has taken.
    :param begin: told when the run begins; gives the meter of its events.
    :param spawn: runs a task.
    """

    def __init__(
        self, opening: Opening, charge: Charge, begin: Callable[["RunAccount", Run], Meter], spawn: Spawn
    ) -> None:
        self.opening = opening
        self.charge = charge
        self.run: Run | None = None
        """Once it has begun."""
        self.meter: Meter
        self._begin_metering = begin
        self._spawn = spawn
        self._source: MeteredSource | None = None
        self._started = 0.0
        self._seen_ended: float | None = None
        self._refusal: Failure | None = None

    def metered(self, source: Source) -> Source:
        """The source of the run, as it is paid for."""
        self._source = MeteredSource(source, self._begin)
        return self._source

    @property
    def first_token_seconds(self) -> float | None:
        """From the start of the run."""
        first = self.meter.first_token
        return None if first is None else round(first - self._started, 4)

    @property
    def overdue(self) -> bool:
        """Whether the run has ended so long ago that another process must have told its outcome."""
        if self.run is None or not self.run.ended:
            return False
        self._seen_ended = self._seen_ended or time.monotonic()
        return time.monotonic() > self._seen_ended + _PATIENCE

    def rest(self) -> None:
        """The run has ended."""
        self.meter.rest()
        self._source = None  # which knows this: left to each other they would wait for the garbage collector

    def _begin(self, run: Run) -> None:
        self.run = run
        self.meter = self._begin_metering(self, run)
        self._started = time.monotonic()
        if self.charge.in_steps:
            self._watch()

    def _watch(self) -> None:
        """Pays for the next step when half of the last one is told."""
        self.meter.alert(self.charge.reserved - self.charge.step / 2, self._extend)

    def _extend(self) -> None:
        # in the middle of a record on its way into the log: whatever follows has to wait until it is there
        self._spawn(self._pay())
        self.meter.alert(self.charge.reserved, self._hold)

    def _hold(self) -> None:
        if self._source is not None:
            self._source.hold()

    async def _pay(self) -> None:
        try:
            granted = await self.charge.extend()
        except AccountsAway as away:
            granted, self._refusal = False, away
        if self._source is None:
            return
        if granted:
            self._source.let_go()
            self._watch()
            return
        if self._refusal is None:
            limits_hit(Code.budget_exhausted)
            self._refusal = Failure(Code.budget_exhausted, "The answer was stopped: the budget is used up.")
        # what is paid for may still be told
        self.meter.alert(self.charge.reserved, self._stop)

    def _stop(self) -> None:
        if self.run is not None:
            asyncio.get_running_loop().call_soon(self.run.abandon, self._refusal)

"""The account of one run of this process, from its question to its row."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from ..accounts.contract import AccountsAway
from ..errors import Code, Failure, Refusal
from ..observe.limits import limits_hit
from ..runs.log import RunInfo
from ..runs.run import Run, Source
from .charge import Charge, quietly
from .meter import Meter
from .metered_source import MeteredSource
from .opening import Opening
from .row import Spent

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
Keep = Callable[[Opening], Awaitable[bool]]
_PATIENCE = 60.0
"""Seconds from the end of a run in which its outcome is told here, or not at all."""


class RunAccount:
    """Pays for an answer ahead of it, a step at a time, and ends the run where that is not granted any more.

    :param info: of the run.
    :param charge: what it takes.
    :param spawn: runs a task.
    :param keep: keeps the opening for other processes, where there are any.
    """

    def __init__(self, info: RunInfo, opening: Opening, charge: Charge, spawn: Spawn, keep: Keep | None = None) -> None:
        self.opening = opening
        self.charge = charge
        self.run: Run | None = None
        """Once it has begun."""
        self.meter: Meter
        self.kept = False
        """Whether other processes know of it: then whoever tells the run's end settles it as well."""
        self._info = info
        self._spawn = spawn
        self._keep = keep
        self._source: MeteredSource | None = None
        self._started = 0.0
        self._seen_ended: float | None = None
        self._refusal: Failure | None = None
        self._handed_over = False

    @contextlib.asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Pays for the question; refunded where no run has begun when the block is left. Raises :class:`Refusal`."""
        try:
            # not cancelled with whoever asks: what was taken must be known to be given back
            await asyncio.shield(self._spawn(self._take()))
            if self._refusal is not None:
                raise self._refusal
            await self._note()  # before the model is asked: a process that dies has no time to do it later
            yield
        finally:
            if self.run is None:
                self._spawn(quietly(self.charge.refund(), self._info))

    def metered(self, source: Source, begin: Callable[[Run], Meter]) -> Source:
        """The source of the run, as it is paid for.

        :param begin: told when the run begins; gives the meter of its events.
        """

        def begun(run: Run) -> None:
            self.run = run
            self.meter = begin(run)
            self._started = time.monotonic()
            if self.charge.in_steps:
                self._watch()

        self._source = MeteredSource(source, begun)
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

    async def hand_over(self) -> None:
        """What is told from here on is paid for by others."""
        self._handed_over = True
        self.meter.rest()
        if self._source is not None:
            self._source.let_go()
        await self.charge.hand_over()
        await self._note()

    def rest(self) -> None:
        """The run has ended."""
        self.meter.rest()
        self._source = None  # which knows this: left to each other they would wait for the garbage collector

    def settle(self, spent: Spent | None) -> None:
        """Has the run cost what it was; ``None`` leaves what was taken, where that is another's to correct."""
        tokens, dollars = (None, None) if spent is None else (spent.tokens, spent.dollars)
        self._spawn(quietly(self.charge.settle(tokens, dollars), self._info))

    async def _take(self) -> None:
        try:
            await self.charge.take()
        except Refusal as refusal:
            self._refusal = refusal

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
        if self._source is None or self._handed_over:
            return
        if granted:
            self._source.let_go()
            self._watch()
            await self._note()
            return
        if self._refusal is None:
            limits_hit(Code.budget_exhausted)
            self._refusal = Failure(Code.budget_exhausted, "The answer was stopped: the budget is used up.")
        # what is paid for may still be told
        self.meter.alert(self.charge.reserved, self._stop)

    async def _note(self) -> None:
        """Lets other processes know what they would have to give back."""
        if self._keep is not None:
            self.opening = msgspec.structs.replace(self.opening, taken=self.charge.taken)
            self.kept = await self._keep(self.opening) or self.kept

    def _stop(self) -> None:
        if self.run is not None:
            asyncio.get_running_loop().call_soon(self.run.abandon, self._refusal)

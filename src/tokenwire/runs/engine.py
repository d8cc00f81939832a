"""The engine: starts each run once, finds it again, and stops it."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from ..errors import Code, Failure, Refusal
from .log import Log, RunInfo, Store, log_key
from .observer import Observer
from .outcome import Outcome
from .run import Bounds, Run, Source

logger = logging.getLogger("tokenwire.runs")


class Engine:
    """All runs of this process.

    A run is known by its principal and its run id: another principal's run is unknown, not forbidden.

    :param observer: sees the events of every run, and how each ended.
    """

    def __init__(self, store: Store, *, max_runs: int, bounds: Bounds, observer: Observer | None = None) -> None:
        self.store = store
        self._observer = observer
        if observer is not None:
            store.watch(self._buried)
        self._max_runs = max_runs
        self._bounds = bounds
        self._live: dict[str, Run] = {}
        self._opening = 0
        """Those that wait for the store, and may be runs in a moment."""
        self._leaving = False
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self, info: RunInfo, grace: float | None, source: Source, *, model: str | None = None) -> Log:
        """The log of this run, which is started if it is new and attached to if it is not.

        ``source`` begins for a new run only, so a repeated request never asks the model twice; ``model`` is what the
        run's outcome calls it. Raises
        :class:`Refusal`: ``overloaded`` when too many runs are under way, ``shutting_down`` after :meth:`leave`,
        ``store_unavailable``.
        """
        if self._leaving or len(self._live) + self._opening >= self._max_runs:
            known = await self.store.find(info.key)
            if known is None:
                raise Refusal(Code.shutting_down if self._leaving else Code.overloaded)
            return known
        self._opening += 1
        self._idle.clear()
        try:
            log, created = await self.store.open(info)
            if created and self._closed:  # too late: nobody would ever end it
                raise Refusal(Code.shutting_down)
            if created:
                self._begin(log, grace, source, model)
        finally:
            self._opening -= 1
            self._rest()
        return log

    @property
    def live_runs(self) -> int:
        """How many runs are under way in this process."""
        return len(self._live)

    async def find(self, principal: str, *, run_id: str | None = None, key: str | None = None) -> Log | None:
        """The log of a principal's run, by its id or by the key that stands in its offsets."""
        log = await self.store.find(key if key is not None else log_key(principal, run_id or ""))
        return log if log is not None and log.info.principal == principal else None

    def live(self, log: Log) -> Run | None:
        """The run that writes this log, if it is under way in this process."""
        return self._live.get(log.key)

    async def cancel(self, principal: str, run_id: str) -> bool:
        """Stops a run at once, in whichever process it is. Returns whether it was still under way.

        Idempotent, and bound to this one run: a late stop never touches a newer one. Raises :class:`Refusal`
        (``unknown_run``, ``store_unavailable``).
        """
        log = await self.find(principal, run_id=run_id)
        if log is None:
            raise Refusal(Code.unknown_run)
        run = self._live.get(log.key)
        if run is not None:
            run.cancel()
        elif not log.closed:
            await self.store.cancel(log.key)
        else:
            return False
        return True

    def leave(self) -> None:
        """Starts no more runs. Those that are under way go on, and are found."""
        self._leaving = True

    async def idle(self) -> None:
        """Returns when no run is under way, nor about to be."""
        await self._idle.wait()

    async def close(self) -> None:
        """Ends every run that is under way, starts no more, and lets the store go."""
        self.leave()
        self._closed = True
        for run in tuple(self._live.values()):
            run.abandon(Failure(Code.shutting_down))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.store.close()
        if self._observer is not None:
            await self._observer.close()

    def _begin(self, log: Log, grace: float | None, source: Source, model: str | None) -> None:
        run = Run(
            log,
            source,
            grace=grace,
            bounds=self._bounds,
            on_deserted=self._deserted,
            on_end=self._ended,
            observer=self._observer,
            model=model,
        )
        self._live[log.key] = run
        run.start()

    def _deserted(self, run: Run) -> None:
        task = asyncio.get_running_loop().create_task(self._abandon_unless_attended(run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _abandon_unless_attended(self, run: Run) -> None:
        try:
            attended = await self.store.attended(run.log.key)
        except Refusal:
            attended = True  # nobody can tell: a run too many is better than an answer too few
        if run.ended or run.audience.count:
            return
        if attended:
            run.audience.wait_on()
        else:
            run.abandon()

    def _buried(self, info: RunInfo) -> None:
        """The store has ended a dead process's run."""

        async def records() -> Sequence[bytes]:
            log = await self.store.find(info.key)
            return log.read(0, log.length) if log is not None else ()

        if self._observer is not None:
            self._observer.ended(
                Outcome(run=info, kind="lost", code=Code.producer_lost, ended=datetime.now(UTC), records=records)
            )

    def _ended(self, run: Run, outcome: str) -> None:
        del self._live[run.log.key]
        self._rest()
        logger.info("run %s ended: %s, %d bytes", run.info.run_id, outcome, run.log.size, extra={"run": run.info})

    def _rest(self) -> None:
        if not self._live and not self._opening:
            self._idle.set()

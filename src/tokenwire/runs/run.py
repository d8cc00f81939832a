"""A run in progress: what its source says goes into its log, and it ends exactly once."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from .. import events
from ..errors import Code, Failure
from .audience import Audience
from .log import Log

logger = logging.getLogger("tokenwire.runs")


class Source(Protocol):
    """Whatever makes an answer. It speaks to the run by :class:`Run`'s own methods and never waits for it."""

    def start(self, run: "Run") -> None:
        """Begins. Called once, at once after the run was accepted."""

    def stop(self) -> Sequence[events.Event]:
        """Ends the work at once, leaving nothing open; gives the events that close what the answer left open."""


class Run:
    """One answer under way in this process.

    For its source: :meth:`accept`, :meth:`emit`, :meth:`finish`, :meth:`fail`. For everybody else: :meth:`cancel`,
    :meth:`abandon`, :meth:`settle`. After the first terminal, by whoever, every further call does nothing.
    """

    def __init__(
        self,
        log: Log,
        source: Source,
        *,
        grace: float | None,
        max_bytes: int,
        on_end: Callable[["Run", str], None],
    ) -> None:
        self.log = log
        self.info = log.info
        self.audience = Audience(grace, self.abandon)
        self.refusal: Failure | None = None
        """Why the run failed before its source had accepted it, if it did."""
        self._source = source
        self._max_bytes = max_bytes
        self._on_end = on_end
        self._settled = False
        self._waiters: list[asyncio.Future[None]] = []

    def start(self) -> None:
        """Logs the first event and lets the source begin.

        The first event is there before the source can say anything, so that a reload in a slow start finds the run
        (docs/wires/tanstack.md 5.4).
        """
        self.log.append([events.encode(events.RunStarted(self.info.thread_id, self.info.run_id))])
        try:
            self._source.start(self)
        except Exception:
            logger.exception("the source of run %s does not start", self.info.run_id)
            self.fail(Failure(Code.internal))

    def accept(self) -> None:
        """The source has a good answer coming: from now on a failure is told in the stream."""
        self._settle()

    def emit(self, happened: Sequence[events.Event]) -> None:
        """Logs events, none of them terminal."""
        if self.log.closed or not happened:
            return
        self.log.append([events.encode(event) for event in happened])
        if self.log.size > self._max_bytes:
            self._stop()
            self.fail(Failure(Code.answer_too_long))

    def finish(
        self, reason: events.FinishReason, *, model: str | None = None, usage: events.Usage | None = None
    ) -> None:
        """The answer is complete."""
        self._end(events.RunFinished(self.info.thread_id, self.info.run_id, reason, model, usage), reason)

    def fail(self, failure: Failure) -> None:
        """The answer failed; what was logged of it stays."""
        if not self._settled and not self.log.closed:
            self.refusal = failure
        self._end(events.RunError(failure.message, failure.code, self.info.thread_id, self.info.run_id), failure.code)

    def cancel(self) -> None:
        """Somebody asked for the end: not a failure."""
        if not self.log.closed:
            self.emit(self._stop())
            self.finish("cancelled")

    def abandon(self, failure: Failure | None = None) -> None:
        """Nobody is there any more (or, by another ``failure``, the server itself leaves)."""
        if not self.log.closed:
            self._stop()
            self.fail(failure or Failure(Code.abandoned))

    async def settle(self, limit: float) -> Failure | None:
        """Waits until it is known whether the source takes the run on, at most ``limit`` seconds.

        Returns why it did not, if it did not.
        """
        if not self._settled:
            loop = asyncio.get_running_loop()
            waiter = loop.create_future()
            self._waiters.append(waiter)
            timer = loop.call_later(limit, _resolve, waiter)
            try:
                await waiter
            finally:
                timer.cancel()
        return self.refusal

    def _stop(self) -> Sequence[events.Event]:
        try:
            return self._source.stop()
        except Exception:
            logger.exception("the source of run %s does not stop", self.info.run_id)
            return ()

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            for waiter in self._waiters:
                _resolve(waiter)
            self._waiters.clear()

    def _end(self, terminal: events.Terminal, outcome: str) -> None:
        if self.log.closed:
            return
        self.log.append([events.encode(terminal)])
        self.log.close()
        self.audience.dismiss()
        del self._source  # which knows the run: left to each other they would wait for the garbage collector
        self._settle()
        self._on_end(self, outcome)


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)

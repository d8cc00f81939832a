"""A run in progress: what its source says goes into its log, and it ends exactly once."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, Protocol

from .. import events
from ..errors import Code, Failure
from .audience import Audience
from .log import Log
from .observer import Observer
from .outcome import outcome_of

logger = logging.getLogger("tokenwire.runs")


_LOOK_SECONDS = 0.1


class Bounds(NamedTuple):
    """How large a run may grow, in bytes of its log."""

    size: int
    """Beyond it the run is ended."""
    ahead: int
    """Beyond what anybody has read of it: its source is paused until somebody has read on."""


class Source(Protocol):
    """Whatever makes an answer. It speaks to the run by :class:`Run`'s own methods and never waits for it."""

    def start(self, run: "Run") -> None:
        """Begins. Called once, at once after the run was accepted."""

    def stop(self) -> Sequence[events.Event]:
        """Ends the work at once, leaving nothing open; gives the events that close what the answer left open."""

    def pause(self) -> None:
        """Stops reading, so that whoever makes the answer has to wait. What was read may still come."""

    def resume(self) -> None:
        """Reads on."""

    @property
    def saved(self) -> int | None:
        """At most how many tokens an end at this moment spares, where a bound is known."""


class Run:
    """One answer under way in this process: the writer of its log (:class:`tokenwire.runs.log.Writer`).

    For its source: :meth:`accept`, :meth:`emit`, :meth:`finish`, :meth:`fail`. For its log: :meth:`lose`,
    :meth:`hold`, :meth:`resume`, :meth:`concluded`. For everybody else: :meth:`cancel`, :meth:`abandon`,
    :meth:`settle`. After the first terminal, by whoever, every further call does nothing.
    """

    def __init__(
        self,
        log: Log,
        source: Source,
        *,
        grace: float | None,
        bounds: Bounds,
        on_deserted: Callable[["Run"], None],
        on_end: Callable[["Run", str], None],
        observer: Observer | None = None,
        model: str | None = None,
    ) -> None:
        self.log = log
        self.info = log.info
        self.audience = Audience(grace, partial(on_deserted, self))
        self.ended = False
        self.refusal: Failure | None = None
        """Why the run failed before its source had accepted it, if it did."""
        self.served: str | None = None
        """Who answers (``provider/model``), as its source says."""
        self._source = source
        self._bounds = bounds
        self._look_at = min(bounds.ahead, bounds.size)
        self._holds: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._on_end = on_end
        self._observer = observer
        self._encode = events.encode if observer is None else observer.encoder(log.info)
        self._model = model
        self._started = datetime.now(UTC)
        self._terminal: events.Terminal | None = None
        self._saved: int | None = None
        self._starting = False
        self._settled = False
        self._waiters: list[asyncio.Future[None]] = []

    def start(self) -> None:
        """Logs the first event and lets the source begin.

        The first event is there before the source can say anything, so that a reload in a slow start finds the run
        (docs/wires/tanstack.md 5.4).
        """
        self.log.write(self)
        self.log.append([self._encode(events.RunStarted(self.info.thread_id, self.info.run_id))])
        self._starting = True
        try:
            self._source.start(self)
        except Exception:
            logger.exception("the source of run %s does not start", self.info.run_id, extra={"run": self.info})
            self.fail(Failure(Code.internal))
        self._starting = False

    def accept(self) -> None:
        """The source has a good answer coming: from now on a failure is told in the stream."""
        self._settle()

    def emit(self, happened: Sequence[events.Event]) -> None:
        """Logs events, none of them terminal."""
        if self.ended or not happened:
            return
        encode = self._encode
        records = []
        for event in happened:  # a comprehension is a call of its own on CPython 3.11
            records.append(encode(event))
        self.log.append(records)
        if self.log.size > self._look_at:
            self._look()

    def finish(
        self, reason: events.FinishReason, *, model: str | None = None, usage: events.Usage | None = None
    ) -> None:
        """The answer is complete."""
        self._end(events.RunFinished(self.info.thread_id, self.info.run_id, reason, model, usage), reason)

    def fail(self, failure: Failure) -> None:
        """The answer failed; what was logged of it stays."""
        if self._starting:  # nobody waits for its fate yet, and a refusal that nobody hears of is no status line
            asyncio.get_running_loop().call_soon(self.fail, failure)
            return
        if not self._settled and not self.ended:
            self.refusal = failure
        self._end(events.RunError(failure.message, failure.code, self.info.thread_id, self.info.run_id), failure.code)

    def cancel(self) -> None:
        """Somebody asked for the end: not a failure."""
        if not self.ended:
            self._log_end("a cancel")
            self.emit(self._stop())
            self.finish("cancelled")

    def abandon(self, failure: Failure | None = None) -> None:
        """Nobody is there any more; or, by another ``failure``, nobody who may be, or the server itself leaves."""
        if not self.ended:
            self._log_end(failure.code if failure else f"the disconnect policy {self.audience.policy}")
            self._stop()
            self.fail(failure or Failure(Code.abandoned))

    def lose(self, failure: Failure) -> None:
        """The log takes nothing more: it was, or will be, ended by somebody else."""
        if not self.ended:
            self._stop()
            if not self._settled:
                self.refusal = failure
            self._conclude(failure.code)

    def hold(self) -> None:
        """The log's store does not keep up."""
        self._hold("store")

    def resume(self) -> None:
        """It has caught up."""
        self._let_go("store")

    def concluded(self, *, lost: bool) -> None:
        """The log's end is known, and it is this process's to tell."""
        if self._observer is not None:
            self._observer.ended(
                outcome_of(
                    self.info,
                    None if lost else self._terminal,
                    model=self._model,
                    served=self.served,
                    started=self._started,
                    ended=datetime.now(UTC),
                    saved=self._saved,
                    records=self._records,
                )
            )

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

    async def _records(self) -> Sequence[bytes]:
        return self.log.read(0, self.log.length)

    def _look(self) -> None:
        """Whether the answer has grown too long, or too far ahead of everybody who reads it.

        Where nobody reads, the disconnect policy decides how long it goes on. Not a matter for every event: looked at
        once in so many bytes, and while the source is held.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.ended:
            return
        size = self.log.size
        if size > self._bounds.size:
            self._stop()
            self.fail(Failure(Code.answer_too_long))
            return
        ahead = size * (self.log.length - self.log.taken) // max(1, self.log.length)
        if self.audience.count and ahead > self._bounds.ahead // 2:
            if ahead > self._bounds.ahead:
                self._hold("readers")
            self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)
        else:
            self._let_go("readers")
        self._look_at = min(size + self._bounds.ahead // 2, self._bounds.size)

    def _hold(self, reason: str) -> None:
        if not self.ended and not self._holds:
            self._source.pause()
        self._holds.add(reason)

    def _let_go(self, reason: str) -> None:
        if reason in self._holds:
            self._holds.remove(reason)
            if not self.ended and not self._holds:
                self._source.resume()

    def _stop(self) -> Sequence[events.Event]:
        try:
            return self._source.stop()
        except Exception:
            logger.exception("the source of run %s does not stop", self.info.run_id, extra={"run": self.info})
            return ()

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            for waiter in self._waiters:
                _resolve(waiter)
            self._waiters.clear()

    def _end(self, terminal: events.Terminal, outcome: str) -> None:
        if self.ended:
            return
        self._terminal = terminal
        self.log.append([self._encode(terminal)])
        self.log.close()
        self._conclude(outcome)

    def _conclude(self, outcome: str) -> None:
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
        self.audience.dismiss()
        del self._source  # which knows the run: left to each other they would wait for the garbage collector
        self._settle()
        self._on_end(self, outcome)

    def _log_end(self, by: str) -> None:
        saved = self._saved = self._source.saved
        spared = "an unknown number of tokens (no max_tokens)" if saved is None else f"at most {saved} tokens"
        logger.info("run %s is ended by %s, which saves %s", self.info.run_id, by, spared, extra={"run": self.info})


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)

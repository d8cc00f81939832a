"""A run whose server is taken away, or another one is, and those who read it."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from tokenwire.testing import Finding, Oracle, Reading, Received, Wrong

from .cluster import LEASE_SECONDS, Cluster
from .reader import Reader
from .tally import Outcome
from .wire import Wire

LOST = "producer_lost"

_NOISE = 2.0
"""Seconds that a busy machine may add to the time of a lease."""

_DELAY = 0.25
_ATTEMPTS = 100
"""A page may be loaded again and again until there is a server."""


class WatchedRun:
    """One answer with two readers: who asked, and who asked the same elsewhere. Two more come after its end.

    :param deltas: how many of them there are when it happens. Fewer than none: the model has not even answered; more
        than all: it has come to the end; None: nobody holds it back.
    :param asked_at: where the first reader asks, and where it goes after that.
    :param elsewhere: the same of the others.
    """

    def __init__(
        self, cluster: Cluster, wire: Wire, deltas: int | None, asked_at: Sequence[str], elsewhere: Sequence[str]
    ) -> None:
        self._cluster = cluster
        self._wire = wire
        self._deltas = deltas
        self._elsewhere = elsewhere
        self.question = cluster.question()
        self._readers = [self._reader(asked_at), self._reader(elsewhere)]

    async def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Returns when as much is logged, and read, as there is to be."""
        asker, other = self._readers
        asking = tasks.create_task(asker.ask(self.question))
        self.model: Received = await self._cluster.received(self.question)
        self._reading = [asking, tasks.create_task(other.ask(self.question))]
        if self._deltas is None or self._deltas < 0:
            return
        if self._whole:
            self.model.release()
            await asyncio.wait(self._reading)
            return
        await self.model.step(self._deltas)
        said = self._said.reasoning + self._said.text
        for reader in self._readers:
            await reader.until(partial(_shows, reader, said))

    @property
    def asked_by(self) -> str:
        """The model's name in the question: one that a server has to itself tells whose run it is."""
        return str(self.model.body["model"])

    def let_go(self) -> None:
        """Lets the model speak, if nobody is to hold it back."""
        if self._deltas is None:
            self.model.release()

    async def end(self, died: float, noticed_from: float) -> Outcome:
        """What became of it after its server died: nothing is missing of what was logged, and its end is told.

        :param noticed_from: when there was a server again that could notice.
        """
        readings = await self._readings()
        findings = self._judge([*readings, *await self._later()], LOST)
        ended = max(reader.ended_at for reader in self._readers)
        if ended > noticed_from + LEASE_SECONDS + _NOISE:
            findings.append(Finding(Wrong.hung, f"for {ended - noticed_from:.1f} s"))
        return Outcome(1, findings, max(0.0, ended - died))

    async def be_found(self, tasks: asyncio.TaskGroup, refused: Callable[[Reading], bool]) -> None:
        """Returns when somebody who asks the same once more has got all that was said.

        :param refused: whether a reading says no more than to come again.
        """
        said = self._said.reasoning + self._said.text
        while True:
            reader = self._reader(self._elsewhere)
            asking = tasks.create_task(reader.ask(self.question))
            seeing = tasks.create_task(reader.until(partial(_shows, reader, said)))
            await asyncio.wait([asking, seeing], return_when=asyncio.FIRST_COMPLETED)
            if seeing.done():
                self._reading.append(asking)
                return
            seeing.cancel()
            if not refused(asking.result()):
                raise RuntimeError(f"an answer that is not over is read as {asking.result()}")
            await asyncio.sleep(_DELAY)

    async def break_off(self, code: str) -> list[Finding]:
        """What is wrong with an end by a failure that only those are told of who are there."""
        return self._judge(await self._readings(), code)

    async def stay_ended(self, url: str, forgotten: Collection[str] = ()) -> list[Finding]:
        """What is wrong with what somebody is told who comes after that: the run is lost, unless it is forgotten.

        :param forgotten: the errors that say so.
        """
        joined = await self._reader([url]).join(self.question.run_id)
        return [] if joined.error in forgotten else self._judge([joined], LOST)

    async def go_on(self) -> list[Finding]:
        """What is wrong after something happened that this run has to survive."""
        self.model.release()
        readings = [*await self._readings(), *await self._later()]
        return self._cluster.oracle.judge(readings, self._cluster.asked(self.question))

    async def _readings(self) -> list[Reading]:
        return [await reading for reading in self._reading]

    async def _later(self) -> list[Reading]:
        joined = await self._reader(self._elsewhere).join(self.question.run_id)
        return [joined, await self._reader(self._elsewhere).ask(self.question)]

    def _judge(self, readings: Sequence[Reading], code: str) -> list[Finding]:
        oracle = replace(self._said, may_fail=[code])
        due = [] if self._deltas is None else [Reading(oracle.text, oracle.reasoning, ["" if self._whole else code])]
        return oracle.judge([*due, *readings], self._cluster.asked(self.question))

    @property
    def _whole(self) -> bool:
        return self._deltas is not None and self._deltas > self._cluster.reply.deltas

    @property
    def _said(self) -> Oracle:
        """What the model says until it happens; what it says while it happens may break off."""
        reply = self._cluster.reply
        if self._deltas is None or self._whole:
            return self._cluster.oracle
        deltas = max(self._deltas, 0)
        return Oracle.of(reply.text[: max(0, deltas - len(reply.reasoning))], reply.reasoning[:deltas])

    def _reader(self, urls: Sequence[str]) -> Reader:
        return Reader(self._wire, *urls, delay=_DELAY, attempts=_ATTEMPTS)


def _shows(reader: Reader, said: str) -> bool:
    return bool(reader.events) and reader.reading.reasoning + reader.reading.text == said

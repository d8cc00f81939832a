"""People who ask one question after the other, and read the answers by the newest TanStack client's rules."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from itertools import count
from typing import Self

from tokenwire.testing import Finding, Oracle, Reading, ScriptedUpstream, Wrong
from tokenwire.testing.changes import Changes

from ..torture.exchange import BrokenConnection
from ..torture.reader import Reader
from ..torture.wire import NDJSON, SSE, Messages, Question, Wire

DELAY = 0.25
"""Seconds that the client waits before it reconnects."""

_PATIENCE = 60.0


class Witness:
    """A wire that remembers what the reader forgives: a first request that fails, which no real client repeats."""

    def __init__(self, wire: Wire) -> None:
        self.name = wire.name
        self.path = wire.path
        self.failures: list[str] = []
        self.resumed = 0
        """Requests for the rest of an answer."""
        self._wire = wire

    async def ask(self, base: str, question: Question, after: str | None) -> Messages:
        """As the wire's own."""
        self.resumed += after is not None
        try:
            async with aclosing(self._wire.ask(base, question, after)) as messages:
                async for message in messages:
                    yield message
                    after = after or message.offset
        except BrokenConnection as broken:
            if after is None:
                self.failures.append(str(broken))
            raise

    def join(self, base: str, run_id: str, after: str | None) -> Messages:
        """As the wire's own."""
        return self._wire.join(base, run_id, after)


class Load:
    """So many people, each with one question at a time, for as long as the block lasts.

    They begin one after the other, within ``seconds``, so that they stay apart.
    """

    def __init__(
        self, url: str, upstream: ScriptedUpstream, people: int, seconds: float, wires: Sequence[Wire] = (SSE, NDJSON)
    ) -> None:
        self._url = url
        self._upstream = upstream
        self._people = people
        self._seconds = seconds
        self._witnesses = [Witness(wire) for wire in wires]
        self._readings: list[tuple[Question, Reading]] = []
        self._numbers = count(1)
        self._changes = Changes()
        self._stopped = False

    async def __aenter__(self) -> Self:
        self._asking = [asyncio.create_task(self._ask(number)) for number in range(self._people)]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stopped = True
        if kind is not None:
            for task in self._asking:
                task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=kind is not None)

    @property
    def answered(self) -> int:
        """Questions that were answered, one way or the other."""
        return len(self._readings)

    @property
    def resumed(self) -> int:
        """How often somebody came back for the rest of an answer."""
        return sum(witness.resumed for witness in self._witnesses)

    async def answers(self, more: int) -> None:
        """Returns after so many more answers."""
        wanted = self.answered + more
        await self._changes.until(lambda: self.answered >= wanted, _PATIENCE)

    def findings(self) -> Sequence[Finding]:
        """What went wrong, once the block is over."""
        oracle = Oracle.of(self._upstream.default.text, self._upstream.default.reasoning)
        asked = Counter(request.body["messages"][-1]["content"] for request in self._upstream.requests)
        findings = [Finding(Wrong.error, failure) for each in self._witnesses for failure in each.failures]
        for question, reading in self._readings:
            findings += oracle.judge([reading], asked[question.text])
        return findings

    async def _ask(self, number: int) -> None:
        await asyncio.sleep(self._seconds * number / self._people)
        wire = self._witnesses[number % len(self._witnesses)]
        while not self._stopped:
            name = f"{next(self._numbers):06}"
            question = Question(f"question {name}", f"run-{name}")
            reading = await Reader(wire, self._url, delay=DELAY).ask(question)
            self._readings.append((question, reading))
            self._changes.announce()

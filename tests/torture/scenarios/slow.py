"""Readers that take their time over an answer that no socket buffer holds."""

import asyncio
from typing import NamedTuple

from tokenwire.testing import ChaosProxy, Cut, Reply

from ..arena import Arena
from ..exchange import Pace
from ..reader import Reader
from ..scenario import scenario
from ..stage import staged
from ..tally import Outcome
from ..trial import ENDINGS
from ..wire import NDJSON, SSE, HttpWire

_LONG = Reply(text=tuple(f"{number:06} {chr(0x100 + number) * 12_000}" for number in range(300)))
_SLOW = Pace(size=8192, pause=0.001)
_BYTES = 7_000_000


class Case(NamedTuple):
    """How the slow one reads, and where its connection is cut."""

    wire: HttpWire
    cut: Cut

    def __str__(self) -> str:
        return f"{self.wire.name}, {self.cut}"


@scenario
async def slow_reader(arena: Arena) -> None:
    """Of two readers of a long answer one is slow and is cut off; neither may lose by the other."""
    cases = [
        Case(wire, Cut(arena.rng.randrange(_BYTES), arena.rng.choice(ENDINGS)))
        for wire in (SSE, NDJSON)
        for _ in range(8)
    ]
    async with staged(arena.folder, _LONG) as stage:

        async def trial(case: Case) -> Outcome:
            question = stage.question()
            async with ChaosProxy(stage.url, [case.cut]) as proxy, asyncio.TaskGroup() as tasks:
                slow, fast = Reader(case.wire.at(_SLOW), proxy.url), Reader(case.wire, stage.url)
                asking = tasks.create_task(slow.ask(question))
                await slow.until(lambda: len(slow.events) > 0)
                readings = [await fast.join(question.run_id), await asking]
                return Outcome(proxy.traffic.faults, stage.oracle.judge(readings, stage.asked(question)))

        await arena.play(cases, trial, at_once=4)

"""Readers that come while an answer is under way, at every point of it."""

import asyncio
from dataclasses import replace
from typing import NamedTuple

from tokenwire.testing import ChaosProxy, Cut, Oracle

from ..arena import Arena
from ..reader import Reader
from ..scenario import scenario
from ..stage import REPLY, Stage, staged
from ..tally import Outcome
from ..trial import ENDINGS
from ..wire import WIRES, Wire, rendering


class Case(NamedTuple):
    """How everybody reads, and how far the model is when they come."""

    wire: Wire
    deltas: int
    cut: Cut

    def __str__(self) -> str:
        return f"{self.wire.name} after {self.deltas} deltas, {self.cut}"


@scenario
async def join_anywhere(arena: Arena) -> None:
    """After each delta the run is joined from its start and from each of its events, then goes on."""
    cases = [
        Case(wire, deltas, Cut(arena.rng.randrange(2500), arena.rng.choice(ENDINGS)))
        for wire in WIRES
        for deltas in range(REPLY.deltas + 1)
        for _ in range(4)
    ]
    async with staged(arena.folder, replace(REPLY, hold=True)) as stage:

        async def trial(case: Case) -> Outcome:
            return await _trial(stage, case)

        await arena.play(cases, trial, at_once=8)


async def _trial(stage: Stage, case: Case) -> Outcome:
    question = stage.question()
    said = "".join([*stage.reply.reasoning, *stage.reply.text][: case.deltas])
    async with ChaosProxy(stage.url, [case.cut]) as proxy, asyncio.TaskGroup() as tasks:
        asker = Reader(case.wire, stage.url)
        asking = tasks.create_task(asker.ask(question))
        model = await stage.received(question)
        await model.step(case.deltas)
        await asker.until(lambda: bool(asker.events) and asker.reading.reasoning + asker.reading.text == said)

        offsets = list(asker.events)
        late = Reader(case.wire, proxy.url)
        joining = [tasks.create_task(late.join(question.run_id))]
        for offset in offsets:
            joiner = Reader(case.wire, stage.url)
            joining.append(tasks.create_task(joiner.join(question.run_id, after=offset)))
        await late.until(lambda: len(late.events) >= len(offsets))
        model.release()

        whole, *parts = [await joined for joined in joining]
        findings = stage.oracle.judge([await asking, whole], stage.asked(question))
        events = list(asker.events.values())
        for number, part in enumerate(parts, start=1):
            findings += Oracle(*rendering(events[number:])).judge([part])
    return Outcome(proxy.traffic.faults, findings)

"""Two tabs of one conversation."""

import asyncio
from typing import NamedTuple

from tokenwire.testing import ChaosProxy, Cut

from ..arena import Arena
from ..reader import Reader
from ..scenario import scenario
from ..stage import staged
from ..tally import Outcome
from ..trial import ENDINGS
from ..wire import WIRES, Wire

_BYTES = 2500


class Case(NamedTuple):
    """How each tab reads, when the second comes and by which way, and where each is cut."""

    wires: tuple[Wire, Wire]
    after_events: int
    repeats: bool
    cuts: tuple[Cut, Cut]

    def __str__(self) -> str:
        names = " and ".join(wire.name for wire in self.wires)
        how = "the same question" if self.repeats else "a join"
        return f"{names}, the second by {how} after {self.after_events} events, {self.cuts}"


@scenario
async def two_tabs(arena: Arena) -> None:
    """A second tab joins the answer under way, or asks the same again; both are cut off by chance."""
    rng = arena.rng

    def cut() -> Cut:
        return Cut(rng.randrange(_BYTES), rng.choice(ENDINGS))

    cases = [
        Case((rng.choice(WIRES), rng.choice(WIRES)), rng.randint(1, 12), rng.random() < 0.5, (cut(), cut()))
        for _ in range(500)
    ]
    async with staged(arena.folder) as stage:

        async def trial(case: Case) -> Outcome:
            question = stage.question()
            async with (
                ChaosProxy(stage.url, case.cuts[:1]) as first_proxy,
                ChaosProxy(stage.url, case.cuts[1:]) as second_proxy,
                asyncio.TaskGroup() as tasks,
            ):
                first, second = Reader(case.wires[0], first_proxy.url), Reader(case.wires[1], second_proxy.url)
                asking = tasks.create_task(first.ask(question))
                await first.until(lambda: len(first.events) >= case.after_events)
                other = second.ask(question) if case.repeats else second.join(question.run_id)
                readings = [await other, await asking]
                faults = first_proxy.traffic.faults + second_proxy.traffic.faults
            return Outcome(faults, stage.oracle.judge(readings, stage.asked(question)))

        await arena.play(cases, trial)

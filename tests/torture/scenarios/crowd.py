"""Very many readers of one run."""

import asyncio
from dataclasses import replace

from tokenwire.testing import ChaosProxy, Cut, Fault

from ..arena import Arena
from ..reader import Reader
from ..scenario import scenario
from ..stage import REPLY, staged
from ..tally import Outcome
from ..trial import ENDINGS
from ..wire import WIRES

_READERS = 1000
_HALF = REPLY.deltas // 2


@scenario
async def crowd(arena: Arena) -> None:
    """1,000 readers follow one run; some are cut off by chance, then all of them at once in mid-answer."""
    rng = arena.rng
    many = min(_READERS, arena.limit or _READERS)

    def by_chance(_: int) -> Fault | None:
        return Cut(rng.randrange(3000), rng.choice(ENDINGS)) if rng.random() < 0.3 else None

    async def trial(_: str) -> Outcome:
        question = stage.question()
        async with ChaosProxy(stage.url, by_chance) as proxy, asyncio.TaskGroup() as tasks:
            readers = [Reader(WIRES[number % len(WIRES)], proxy.url) for number in range(many)]
            asking = tasks.create_task(readers[0].ask(question))
            model = await stage.received(question)
            await model.step(_HALF)
            joining = [tasks.create_task(reader.join(question.run_id)) for reader in readers[1:]]
            for reader in readers:
                await _caught_up(reader)
            proxy.sever()
            model.release()
            readings = [await asking, *[await joined for joined in joining]]
            return Outcome(proxy.traffic.faults, stage.oracle.judge(readings, stage.asked(question)))

    async with staged(arena.folder, replace(REPLY, hold=True)) as stage:
        await arena.play([f"{many} readers"], trial)


async def _caught_up(reader: Reader) -> None:
    said = "".join([*REPLY.reasoning, *REPLY.text][:_HALF])
    await reader.until(lambda: reader.reading.reasoning + reader.reading.text == said)

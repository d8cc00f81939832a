"""Somebody sets the clock while answers are under way."""

import asyncio
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from tokenwire.testing import ChaosProxy

from ...runs.redis_server import RedisServer
from ..arena import Arena
from ..clock import Clock
from ..cluster import HELD, Cluster, clustered
from ..scenario import scenario
from ..tally import Outcome
from ..watched_run import WatchedRun
from ..wire import WIRES, Wire

_HOUR = 3600
_JUMPS = (_HOUR, -_HOUR, 100 * 24 * _HOUR, 0, -100 * 24 * _HOUR)


class Case(NamedTuple):
    """An answer, and how much of it there is when the clock jumps."""

    store: str
    wrong_by: int
    wire: Wire
    deltas: int

    def __str__(self) -> str:
        return f"{self.store}, clock wrong by {self.wrong_by} s, {self.wire.name} after {self.deltas} deltas"


@scenario
async def clock(arena: Arena) -> None:
    """The clock of servers and store jumps forth and back, by an hour and by months; nothing ends by that."""
    clock = Clock(arena.folder)
    await _play(arena, clock, "memory", 1)
    await _play(arena, clock, f"sqlite:///{arena.folder / 'runs.db'}", 2)
    if shutil.which("redis-server"):
        with RedisServer(arena.folder, env=clock.env) as redis:
            await _play(arena, clock, redis.url, 2)


async def _play(arena: Arena, clock: Clock, store: str, count: int) -> None:
    clock.jump_to(0)
    async with clustered(arena.folder, store, count, env=clock.env) as cluster:
        for wrong_by in _JUMPS:
            cases = [
                Case(store.partition(":")[0], wrong_by, wire, deltas)
                for deltas in range(HELD.deltas + 1)
                for wire in WIRES
            ]
            await _round(arena, cluster, clock, arena.sample(cases))


async def _round(arena: Arena, cluster: Cluster, clock: Clock, cases: Sequence[Case]) -> None:
    """The clock jumps, and the readers lose their connections: all of it comes in the end."""
    producer, other = cluster.nodes[0], cluster.nodes[-1]
    async with ChaosProxy(producer.url) as to_producer, ChaosProxy(other.url) as to_other, asyncio.TaskGroup() as tasks:
        runs = [WatchedRun(cluster, case.wire, case.deltas, [to_producer.url], [to_other.url]) for case in cases]
        await asyncio.gather(*(run.begin(tasks) for run in runs))
        clock.jump_to(cases[0].wrong_by)
        to_producer.sever()
        to_other.sever()

        async def gone_on(run: WatchedRun) -> Outcome:
            return Outcome(3, await run.go_on())

        await asyncio.gather(*(arena.count(case, gone_on(run)) for case, run in zip(cases, runs, strict=True)))

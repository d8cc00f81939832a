"""Processes that are killed while they make answers."""

import asyncio
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from ...runs.redis_server import RedisServer
from ..arena import Arena, Unavailable
from ..cluster import HELD, Cluster, clustered
from ..scenario import scenario
from ..watched_run import WatchedRun
from ..wire import WIRES, Wire

_PLACES = range(-1, HELD.deltas + 2)
"""Before the model has said anything at all, after each delta, and after the end."""

_ROUNDS = 8
_BY_CHANCE = 10
_SPOKEN = 0.06
"""Seconds within which an answer that nobody holds back is over."""
_AT_ONCE = 80


class Case(NamedTuple):
    """How an answer is read, and how much of it there is when its process dies: None for as much as it happens."""

    wire: Wire
    deltas: int | None

    def __str__(self) -> str:
        return f"{self.wire.name}, killed {'at some time' if self.deltas is None else f'after {self.deltas} deltas'}"


_CASES = [Case(wire, deltas) for _ in range(_ROUNDS) for deltas in [*_PLACES, *[None] * _BY_CHANCE] for wire in WIRES]


@scenario
async def kill_sqlite(arena: Arena) -> None:
    """SQLite: the only process is killed and started again, or another one survives it, at every append."""
    for count in (1, 2):
        await _play(arena, f"sqlite:///{arena.folder / f'runs-{count}.db'}", count)


@scenario
async def kill_redis(arena: Arena) -> None:
    """Redis: one of two processes is killed, at every append."""
    if shutil.which("redis-server") is None:
        raise Unavailable("there is no redis-server here")
    with RedisServer(arena.folder) as redis:
        await _play(arena, redis.url, 2)


async def _play(arena: Arena, store: str, count: int) -> None:
    cases = arena.sample(_CASES)
    async with clustered(arena.folder, store, count) as cluster:
        for first in range(0, len(cases), _AT_ONCE):
            await _round(arena, cluster, cases[first : first + _AT_ONCE])


async def _round(arena: Arena, cluster: Cluster, cases: Sequence[Case]) -> None:
    """One process dies that makes an answer for each of the cases."""
    doomed, *others = cluster.nodes
    living = [node.url for node in others or [doomed]]
    runs = [WatchedRun(cluster, case.wire, case.deltas, [doomed.url, *living], living) for case in cases]
    now = asyncio.get_running_loop().time
    async with asyncio.TaskGroup() as tasks:
        await asyncio.gather(*(run.begin(tasks) for run in runs))
        for run in runs:
            run.let_go()
        await asyncio.sleep(arena.rng.uniform(0, _SPOKEN))
        await doomed.kill()
        died = now()
        if not others:
            await doomed.start()
        ends = [run.end(died, noticed_from=now()) for run in runs]
        await asyncio.gather(*(arena.count(case, end) for case, end in zip(cases, ends, strict=True)))
    if others:
        await doomed.start()

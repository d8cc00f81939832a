"""Redis is away, slow, or has forgotten everything, while answers are under way."""

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tokenwire.testing import ChaosProxy, Finding, Reading, Wrong

from ...runs.redis_server import RedisServer
from ..arena import Arena, Unavailable
from ..cluster import HELD, Cluster, clustered
from ..reader import PATIENCE, Reader
from ..scenario import scenario
from ..stage import REPLY
from ..tally import Outcome
from ..watched_run import WatchedRun
from ..wire import WIRES, Wire

_UNAVAILABLE = "store_unavailable"
_FORGOTTEN = ("HTTP 404", "closed with 1008")
_PATIENT, _IMPATIENT = 20.0, 1.0
"""Seconds for which the servers wait for their store: longer than it is away, and not so long."""


class Trouble(NamedTuple):
    """What happens to Redis, and how that ends."""

    name: str
    begin: Callable[[RedisServer], None]
    end: Callable[[RedisServer], None]
    refuses: bool = True
    """Whether new questions are refused for as long as it lasts."""

    def __str__(self) -> str:
        return self.name


class Case(NamedTuple):
    """An answer, how far it is when the trouble begins, and whether the servers wait for its end."""

    trouble: Trouble
    lasts: bool
    wire: Wire
    deltas: int

    def __str__(self) -> str:
        long = "too long" if self.lasts else "for a while"
        return f"Redis is {self.trouble} {long}, {self.wire.name} after {self.deltas} deltas"


def _refuse_writes(redis: RedisServer) -> None:
    with redis.client() as client:
        client.client_pause(600_000, all=False)


def _take_writes(redis: RedisServer) -> None:
    with redis.client() as client:
        client.client_unpause()


def _be_slow(redis: RedisServer) -> None:
    with redis.client() as client:
        for _ in range(5):
            client.client_pause(300)
            time.sleep(0.35)


def _nothing(_: RedisServer) -> None:
    pass


_KILLED = Trouble("dead", RedisServer.kill, RedisServer.start)
_STOPPED = Trouble("stopped", RedisServer.pause, RedisServer.resume)
_FULL = Trouble("not writing", _refuse_writes, _take_writes)
_SLOW = Trouble("slow", _be_slow, _nothing, refuses=False)

_KEEPING = ("--appendonly", "yes", "--appendfsync", "always")


@scenario
async def redis_trouble(arena: Arena) -> None:
    """Redis is killed with and without a file, stopped, full or slow, for less or more than answers wait for it."""
    if shutil.which("redis-server") is None:
        raise Unavailable("there is no redis-server here")
    for lasts in (False, True):
        await _play(arena, "forgetful", (), [_KILLED, _STOPPED, _FULL, *([] if lasts else [_SLOW])], lasts)
        await _play(arena, "keeping", _KEEPING, [_KILLED], lasts)


async def _play(arena: Arena, name: str, options: Sequence[str], troubles: Sequence[Trouble], lasts: bool) -> None:
    """The same servers, one trouble after the other: they have to get over each."""
    folder = arena.folder / f"{name}-{lasts}"
    folder.mkdir()
    with RedisServer(folder, *options) as redis:
        async with clustered(folder, redis.url, 2, store_seconds=_IMPATIENT if lasts else _PATIENT) as cluster:
            for trouble in troubles:
                cases = [Case(trouble, lasts, wire, deltas) for deltas in range(HELD.deltas + 1) for wire in WIRES]
                await (_outlast if lasts else _wait_for)(arena, cluster, redis, arena.sample(cases))


async def _wait_for(arena: Arena, cluster: Cluster, redis: RedisServer, cases: Sequence[Case]) -> None:
    """The models speak while Redis is away, and readers lose their connections: all of it comes in the end."""
    trouble = cases[0].trouble
    producer, other = cluster.nodes
    async with ChaosProxy(producer.url) as to_producer, ChaosProxy(other.url) as to_other, asyncio.TaskGroup() as tasks:
        runs = [WatchedRun(cluster, case.wire, case.deltas, [to_producer.url], [to_other.url]) for case in cases]
        await asyncio.gather(*(run.begin(tasks) for run in runs))
        beginning = asyncio.create_task(asyncio.to_thread(trouble.begin, redis))
        # half of the models say nothing until the trouble is over
        for run in runs[::2]:
            run.model.release()
        await beginning
        to_producer.sever()
        to_other.sever()
        findings = await _refusals(cluster) if trouble.refuses else []
        await asyncio.to_thread(trouble.end, redis)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(run.be_found(tasks, _is_refused) for run in runs[1::2]))

        async def gone_on(run: WatchedRun) -> Outcome:
            return Outcome(3, [*findings, *await run.go_on()])

        await asyncio.gather(*(arena.count(case, gone_on(run)) for case, run in zip(cases, runs, strict=True)))


async def _outlast(arena: Arena, cluster: Cluster, redis: RedisServer, cases: Sequence[Case]) -> None:
    """Nobody waits so long: everybody is told once, and served again afterwards."""
    trouble = cases[0].trouble
    producer, other = cluster.nodes
    async with asyncio.TaskGroup() as tasks:
        runs = [WatchedRun(cluster, case.wire, case.deltas, [producer.url], [other.url]) for case in cases]
        await asyncio.gather(*(run.begin(tasks) for run in runs))
        await asyncio.to_thread(trouble.begin, redis)
        broken_off = [await run.break_off(_UNAVAILABLE) for run in runs]
        findings = await _refusals(cluster)
        await asyncio.to_thread(trouble.end, redis)
        findings += await _healed(cluster)

        async def ended(run: WatchedRun, before: Sequence[Finding]) -> Outcome:
            return Outcome(1, [*findings, *before, *await run.stay_ended(other.url, _FORGOTTEN)])

        ends = (ended(run, before) for run, before in zip(runs, broken_off, strict=True))
        await asyncio.gather(*(arena.count(case, end) for case, end in zip(cases, ends, strict=True)))


async def _refusals(cluster: Cluster) -> list[Finding]:
    """What is wrong with the answers to new questions while there is no store."""

    async def refusal(wire: Wire, url: str) -> list[Finding]:
        question = cluster.question()
        reading = await Reader(wire, url).ask(question)
        if cluster.asked(question):
            return [Finding(Wrong.error, "the model was asked without a store")]
        return [] if _is_refused(reading) else [Finding(Wrong.error, f"a new question got: {reading}")]

    refusals = await asyncio.gather(*(refusal(wire, node.url) for node in cluster.nodes for wire in WIRES))
    return [finding for refused in refusals for finding in refused]


def _is_refused(reading: Reading) -> bool:
    return reading.error == "HTTP 503" or reading.terminals == [_UNAVAILABLE]


async def _healed(cluster: Cluster) -> list[Finding]:
    """What is wrong with the first answers that are not refused; TimeoutError when all of them are."""
    findings = []
    async with asyncio.timeout(PATIENCE):
        for node in cluster.nodes:
            for wire in WIRES:
                cluster.upstream.reply(REPLY)
                while True:
                    question = cluster.question()
                    reading = await Reader(wire, node.url).ask(question)
                    if not _is_refused(reading):
                        break
                findings += cluster.oracle.judge([reading], cluster.asked(question))
    return findings

"""Three machines behind nginx, of which one dies or loses its network."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from tokenwire.testing import ScriptedUpstream

from ...deploy.nginx import AVAILABLE, nginx
from ...runs.redis_server import RedisServer
from ..arena import Arena, Unavailable
from ..cluster import HELD, Cluster, running, write_config
from ..network import Network, relayed
from ..node import Node
from ..reader import PATIENCE
from ..scenario import scenario
from ..tally import Outcome
from ..watched_run import WatchedRun
from ..wire import WIRES, Wire

_NODES = 3
_SILENCE = 2.0
"""Seconds after which nginx gives up a server that says nothing."""

_FENCED = "was ended by another process"

_ANOTHER = f"""
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $http_connection;
proxy_buffering off;
proxy_connect_timeout 1s;
proxy_read_timeout {_SILENCE:.0f}s;
proxy_next_upstream error timeout non_idempotent;
"""
"""A question may go to another server: it is the same run there."""


class Case(NamedTuple):
    """An answer, and how much of it there is when something happens to a node."""

    unplugged: bool
    wire: Wire
    deltas: int

    def __str__(self) -> str:
        return f"a node is {'unplugged' if self.unplugged else 'killed'}, {self.wire.name} after {self.deltas} deltas"


@scenario
async def nodes(arena: Arena) -> None:
    """Three nodes in networks of their own behind nginx: one is killed, or cut off from everything, and comes back."""
    if AVAILABLE is None or shutil.which("redis-server") is None:
        raise Unavailable("it takes nginx and a redis-server")
    with Network(_NODES) as network:
        async with _cluster(arena, network) as cluster:
            addresses = [f"{node.address} max_fails=0" for node in cluster.nodes]
            with nginx(arena.folder, addresses, ("", _ANOTHER)) as url:
                for number in range(1, _NODES + 1):
                    for unplugged in (False, True):
                        cases = [
                            Case(unplugged, wire, deltas) for deltas in range(-1, HELD.deltas + 1) for wire in WIRES
                        ]
                        await _round(arena, cluster, network, number, url, arena.sample(cases))


async def _round(
    arena: Arena, cluster: Cluster, network: Network, number: int, url: str, cases: Sequence[Case]
) -> None:
    """Something happens to one of the nodes that make an answer for each of the cases."""
    node, unplugged = cluster.nodes[number - 1], cases[0].unplugged
    now = asyncio.get_running_loop().time
    async with asyncio.TaskGroup() as tasks:
        runs = [WatchedRun(cluster, case.wire, case.deltas, [url], [url]) for case in cases]
        await asyncio.gather(*(run.begin(tasks) for run in runs))
        if unplugged:
            network.unplug(number)
        else:
            await node.kill()
        died = now()
        noticed_from = died + (_SILENCE + 1 if unplugged else 0)

        async def outcome(run: WatchedRun) -> Outcome:
            if run.asked_by == _model(number):
                return await run.end(died, noticed_from)
            return Outcome(0, await run.go_on())

        await asyncio.gather(*(arena.count(case, outcome(run)) for case, run in zip(cases, runs, strict=True)))
    if unplugged:
        await _come_back(arena, cluster, network, number, [run for run in runs if run.asked_by == _model(number)])
    else:
        await node.start()


async def _come_back(arena: Arena, cluster: Cluster, network: Network, number: int, runs: Sequence[WatchedRun]) -> None:
    """A node that never died has answers that others have ended: it can add nothing to them, and says what they say."""
    for run in runs:
        run.model.release()
    network.plug_in(number)

    async def outcome(run: WatchedRun) -> Outcome:
        await cluster.upstream.until(lambda: run.model.finished or run.model.closed is not None, PATIENCE)
        return Outcome(0, await run.stay_ended(cluster.nodes[number - 1].url))

    await asyncio.gather(*(arena.count("the node is back", outcome(run)) for run in runs))


@asynccontextmanager
async def _cluster(arena: Arena, network: Network) -> AsyncIterator[Cluster]:
    with RedisServer(arena.folder, "--bind", "127.0.0.1", network.host, "--protected-mode", "no") as redis:
        async with ScriptedUpstream() as upstream, relayed(network.host, upstream.base_url) as base_url:
            nodes = []
            for number in range(1, _NODES + 1):
                folder = arena.folder / _model(number)
                folder.mkdir()
                config = write_config(folder, base_url, model=_model(number))
                store = f"redis://{network.host}:{redis.port}"
                nodes.append(
                    Node(
                        folder / "server.log",
                        *("--config", config, "--store", store),
                        host=network.address(number),
                        within=network.within(number),
                    )
                )
            async with running(nodes):
                yield Cluster(nodes, upstream, HELD)
                fenced = [node for node in nodes if _FENCED in node.log.read_text()]
        if len(fenced) < _NODES:
            raise RuntimeError(f"only {len(fenced)} of {_NODES} nodes ever lost a lease")


def _model(number: int) -> str:
    """What a node calls its model: so it shows who asked."""
    return f"model-of-node-{number}"

"""Deploys in mid-sentence."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tokenwire.testing import Reply, ScriptedUpstream

from ...deploy.listening import free_port
from ...deploy.load import Load
from ...deploy.nginx import AVAILABLE, nginx
from ...deploy.node import Node, node
from ...runs.redis_server import RedisServer
from ..arena import Arena, Unavailable
from ..scenario import scenario
from ..tally import Outcome

_STREAMS = 200
_SERVERS = 3
_SECONDS = 1.8
_REPLY = Reply(text=[f"{number} " for number in range(12)], interval=_SECONDS / 12)
_CONFIG = """
[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "scripted"
key_env = ""
"""


@contextmanager
def _sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'runs.db'}"


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    with RedisServer(folder) as server:
        yield server.url


class Case(NamedTuple):
    """Where the runs are kept, and whether a server's successor is there before it leaves."""

    store: Callable[[Path], AbstractContextManager[str]]
    overlapping: bool

    def __str__(self) -> str:
        return f"{self.store.__name__.strip('_')}, {'start then stop' if self.overlapping else 'stop then start'}"


@scenario
async def deploy(arena: Arena) -> None:
    """Three servers behind a plain nginx are restarted, one after the other, under 200 live streams."""
    if AVAILABLE is None:
        raise Unavailable("there is no nginx")
    stores = (_sqlite, _redis) if shutil.which("redis-server") else (_sqlite,)
    cases = [Case(store, overlapping) for store in stores for overlapping in (False, True)]
    if arena.limit is not None:
        cases = cases[:1]
    streams = min(_STREAMS, arena.limit or _STREAMS)

    async def trial(case: Case) -> Outcome:
        folder = arena.folder / str(case)
        folder.mkdir()
        async with ScriptedUpstream(default=_REPLY) as upstream:
            (folder / "tokenwire.toml").write_text(_CONFIG.format(upstream=upstream.base_url))
            with case.store(folder) as store:
                return await _roll(folder, store, upstream, streams, overlapping=case.overlapping)

    await arena.play(cases, trial, at_once=1)


async def _roll(folder: Path, store: str, upstream: ScriptedUpstream, streams: int, *, overlapping: bool) -> Outcome:
    options = ("--config", folder / "tokenwire.toml", "--store", store, "--log-level", "warning")
    ports = [free_port() for _ in range(_SERVERS)]
    # nginx leaves a server alone for ten seconds that has refused a connection, and a port where nobody listens while
    # its server leaves does: were all to be restarted within that time, there would be none left to ask
    tolerance = "" if overlapping else "max_fails=0"
    sharing = ("--reuse-port",) if overlapping else ()
    async with AsyncExitStack() as nodes:

        async def start(port: int) -> Node:
            return await nodes.enter_async_context(
                node(folder / f"{port}.log", *options, *sharing, "--port", str(port))
            )

        servers = [await start(port) for port in ports]
        with nginx(folder, [f"127.0.0.1:{port} {tolerance}" for port in ports]) as url:
            async with Load(url, upstream, streams, _SECONDS) as load:
                await load.answers(streams)
                for number, port in enumerate(ports):
                    old = servers[number]
                    if overlapping:
                        servers[number] = await start(port)
                    await old.leave()
                    if not overlapping:
                        servers[number] = await start(port)
                await load.answers(streams)
        for server in servers:
            await server.leave()
    return Outcome(load.resumed, load.findings())

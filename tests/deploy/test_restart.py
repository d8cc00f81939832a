"""Restarts of a single server in the middle of everything: nobody is refused, and nobody loses a word."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tokenwire.testing import Reply, ScriptedUpstream

from ..torture.wire import WIRES
from .listening import free_port
from .load import Load
from .nginx import AVAILABLE, KEEPALIVE, nginx
from .node import node

pytestmark = pytest.mark.anyio

REPLY = Reply(text=[f"{number} " for number in range(12)], interval=0.03)
PEOPLE = 30

CONFIG = """
[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "scripted"
key_env = ""
"""


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream(default=REPLY) as upstream:
        yield upstream


@pytest.fixture
def arguments(upstream: ScriptedUpstream, tmp_path: Path) -> list[str | Path]:
    config = tmp_path / "tokenwire.toml"
    config.write_text(CONFIG.format(upstream=upstream.base_url))
    return ["--config", config, "--log-level", "warning", "--store", f"sqlite:///{tmp_path / 'runs.db'}"]


async def test_two_servers_share_a_port_while_one_replaces_the_other(
    upstream: ScriptedUpstream, arguments: list[str | Path], tmp_path: Path
) -> None:
    arguments += ["--reuse-port", "--port", str(free_port())]
    async with AsyncExitStack() as nodes:
        old = await nodes.enter_async_context(node(tmp_path / "log", *arguments))
        async with Load(old.url, upstream, PEOPLE, seconds=0.4, wires=WIRES) as load:
            await load.answers(PEOPLE)
            new = await nodes.enter_async_context(node(tmp_path / "log", *arguments))
            await old.leave()
            await load.answers(PEOPLE)
        await new.leave()
    assert load.findings() == []
    assert load.resumed


async def test_a_server_inherits_the_socket_of_the_one_it_replaces(
    upstream: ScriptedUpstream, arguments: list[str | Path], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        async with AsyncExitStack() as nodes:
            old = await nodes.enter_async_context(node(tmp_path / "log", *arguments, listener=listener))
            async with Load(old.url, upstream, PEOPLE, seconds=0.4, wires=WIRES) as load:
                await load.answers(PEOPLE)
                new = await nodes.enter_async_context(node(tmp_path / "log", *arguments, listener=listener))
                await old.leave()
                await load.answers(PEOPLE)
            await new.leave()
    assert load.findings() == []
    assert load.resumed


async def test_workers_are_replaced_under_load(
    upstream: ScriptedUpstream, arguments: list[str | Path], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    async with node(log, *arguments, "--port", "0", "--workers", "2") as server:
        async with Load(server.url, upstream, PEOPLE, seconds=0.4) as load:
            await load.answers(PEOPLE)
            server.hang_up()
            async with asyncio.timeout(30):
                while "all workers were replaced" not in log.read_text():
                    await load.answers(1)
            await load.answers(PEOPLE)
        await server.leave()
    assert load.findings() == []
    assert load.resumed


@pytest.mark.skipif(AVAILABLE is None, reason="there is no nginx")
async def test_connections_that_a_proxy_keeps_open_cost_nobody_a_question(
    upstream: ScriptedUpstream, arguments: list[str | Path], tmp_path: Path
) -> None:
    ports = [free_port(), free_port()]
    async with AsyncExitStack() as nodes:
        servers = [
            await nodes.enter_async_context(node(tmp_path / "log", *arguments, "--port", str(port))) for port in ports
        ]
        with nginx(tmp_path, [f"127.0.0.1:{port}" for port in ports], KEEPALIVE) as url:
            async with Load(url, upstream, PEOPLE, seconds=0.4) as load:
                await load.answers(PEOPLE * 3)
                await servers[0].leave()
                await load.answers(PEOPLE)
        await servers[1].leave()
    assert load.findings() == []
    assert load.resumed

"""Several servers on one store, with a scripted model behind all of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tokenwire.testing import Reply, ScriptedUpstream

from .node import Node
from .stage import CONFIG, REPLY, Stage

LEASE_SECONDS = 1.0

HELD = replace(REPLY, hold="head")
"""An answer of which nothing comes until the trial says so."""


class Cluster(Stage):
    """A stage with several servers; `url` is the first one's."""

    def __init__(self, nodes: Sequence[Node], upstream: ScriptedUpstream, reply: Reply) -> None:
        super().__init__(nodes[0].url, upstream, reply)
        self.nodes = nodes


@asynccontextmanager
async def clustered(
    folder: Path, store: str, count: int, *, store_seconds: float = 10, env: Mapping[str, str] | None = None
) -> AsyncIterator[Cluster]:
    """Starts so many servers and their model, and stops them; a traceback in a log is a failure of its own."""
    async with ScriptedUpstream() as upstream:
        config = write_config(folder, upstream.base_url, store_seconds=store_seconds)
        nodes = [
            Node(folder / f"node-{number}.log", "--config", config, "--store", store, env=env)
            for number in range(1, count + 1)
        ]
        async with running(nodes):
            yield Cluster(nodes, upstream, HELD)


def write_config(folder: Path, base_url: str, *, model: str = "scripted", store_seconds: float = 10) -> Path:
    """A server's configuration.

    :param base_url: the model's, as the server sees it.
    """
    file = folder / "tokenwire.toml"
    config = CONFIG.replace("{upstream}", base_url).replace('"scripted"', f'"{model}"')
    runs = f"lease_seconds = {LEASE_SECONDS}\nstore_seconds = {store_seconds}\n"
    file.write_text(f"{config}{runs}\n[auth]\nanonymous = true\n")
    return file


@asynccontextmanager
async def running(nodes: Sequence[Node]) -> AsyncIterator[None]:
    """Starts servers, and stops them."""
    try:
        await asyncio.gather(*(node.start() for node in nodes))
        yield
    finally:
        # all of them, before the first complaint
        ends = await asyncio.gather(*(node.stop() for node in nodes), return_exceptions=True)
    for end in ends:
        if end is not None:
            raise end

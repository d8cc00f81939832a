"""One agent and its run, without a server."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tokenwire import Ask, events
from tokenwire.agents.agent import Agent, AgentFunction
from tokenwire.agents.agents import Agents
from tokenwire.gate.question import Question
from tokenwire.messages import message
from tokenwire.providers.base import Prompt
from tokenwire.runs.engine import Engine
from tokenwire.runs.log import Log, RunInfo
from tokenwire.runs.memory import MemoryStore
from tokenwire.runs.run import Bounds, Run
from tokenwire.wire.request import Options

ROOM = Bounds(10**6, 10**6)
INFO = RunInfo("ann", "thread", "run", "tanstack")


def no_models(name: str, _: Prompt) -> Any:
    raise LookupError(name)


class Telling:
    """A run of an agent, in an engine of its own."""

    def __init__(self, agents: Agents, engine: Engine, log: Log, run: Run) -> None:
        self.agents = agents
        self.engine = engine
        self.log = log
        self.run = run

    @property
    def happened(self) -> Sequence[events.Event]:
        """What has been told so far."""
        return [events.decode(record) for record in self.log.read(0, self.log.length)]

    @property
    def deltas(self) -> list[str]:
        """The text so far, as it was told."""
        return [event.delta for event in self.happened if isinstance(event, events.TextMessageContent)]

    @property
    def terminal(self) -> events.Event:
        """The last thing that was told."""
        return self.happened[-1]

    async def until(self, text: str) -> None:
        """Returns when the text ends with this."""
        await self._changed(lambda: "".join(self.deltas).endswith(text))

    async def end(self) -> "Telling":
        """Returns when the run has ended."""
        await self._changed(lambda: self.log.closed)
        return self

    async def _changed(self, over: Any) -> None:
        changed = asyncio.Event()
        self.log.follow(changed.set)
        try:
            async with asyncio.timeout(20):
                while not over():
                    await changed.wait()
                    changed.clear()
        finally:
            self.log.unfollow(changed.set)


@asynccontextmanager
async def telling(
    function: AgentFunction,
    *,
    bounds: Bounds = ROOM,
    models: Any = no_models,
    tools: Collection[str] | None = None,
) -> AsyncIterator[Telling]:
    """Asks an agent. No task of it is left at the end."""
    before = asyncio.all_tasks()
    engine = Engine(MemoryStore(), max_runs=1, bounds=bounds)
    agents = Agents((), models)
    source = agents.source(
        Agent("support", function),
        Question(INFO, (message("user", "Hi"),), Options()),
        Prompt(messages=(message("user", "Hi"),)),
        {},
        tools,
    )
    log = await engine.start(INFO, None, source)
    run = engine.live(log)
    assert run is not None
    try:
        yield Telling(agents, engine, log, run)
    finally:
        await engine.close()
        await agents.close()
        assert asyncio.all_tasks() == before


def plain(*pieces: Any) -> AgentFunction:
    """An agent that says these, without ever waiting."""

    async def agent(_: Ask) -> AsyncIterator[Any]:
        for piece in pieces:
            yield piece

    return agent

"""An agent function behind a real backend on a real socket."""

import asyncio
import runpy
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from starlette.types import ASGIApp

from tokenwire import Ask, ChatBackend, Piece, Principal, Scopes
from tokenwire.agents.agent import Agent, AgentFunction
from tokenwire.client import ChatClient, ask, fetch_server_sent_events
from tokenwire.client.parts import ThinkingPart, ToolCallPart
from tokenwire.messages import message
from tokenwire.testing import ChaosProxy, Cut, Reply, ScriptedUpstream, ToolCall
from tokenwire.wire.reading import Chunk


class Stage(NamedTuple):
    """Where the agent is asked, and the model that it asks."""

    url: str
    upstream: ScriptedUpstream

    async def text(self, prompt: str = "Hi", **options: Any) -> str:
        """The whole answer."""
        return "".join([delta async for delta in ask(self.url, prompt, **options)])

    async def chunks(self, *messages: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> list[Chunk]:
        """The events of a run."""
        rows = messages or ({"role": "user", "content": "Hi"},)
        return [chunk async for chunk in fetch_server_sent_events(self.url).connect(rows, data)]

    def client(self) -> ChatClient:
        """A chat with the agent."""
        return ChatClient(fetch_server_sent_events(self.url))


@asynccontextmanager
async def stage(
    upstream: ScriptedUpstream, agent: AgentFunction, *, tools: tuple[str, ...] | None = None
) -> AsyncIterator[Stage]:
    """Serves an agent, to anybody or to whom ``x-user`` names, who may use these tools."""
    scopes = Scopes(tools=tools)
    backend = ChatBackend(
        authenticate=lambda connection: Principal(name=connection.headers.get("x-user", "ann"), scopes=scopes)
    )
    backend.agent("bridged", default=True)(agent)
    async with serving(backend) as url:
        yield Stage(url + "/api/chat", upstream)


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Serves an application in this loop."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


async def assert_closes_the_model(on: Stage) -> None:
    """A reader who stops the answer stops the model: its request is closed before its end."""
    on.upstream.say("Hel", "lo", hold=True)
    async with aclosing(ask(on.url, "Hi")) as answer:
        first = asyncio.ensure_future(anext(answer))
        request = await on.upstream.received()
        await request.step()
        assert await first == "Hel"
    await request.wait_closed()


async def assert_lets_go(upstream: ScriptedUpstream, agent: AgentFunction) -> None:
    """An agent that is closed between two pieces, where nothing is being waited for, closes the model as well."""
    upstream.say("Hel", "lo", hold=True)
    asked = Ask(messages=(message("user", "Hi"),), thread_id="t", run_id="r")
    answer: Any = await Agent("bridged", agent).begin(asked)
    first = asyncio.ensure_future(anext(answer))
    request = await upstream.received()
    await request.step()
    await first
    await answer.aclose()
    await request.wait_closed()


async def assert_resumes(on: Stage) -> None:
    """A connection that breaks in the midst of the answer loses and doubles nothing."""
    words = [f"word {number} " for number in range(40)]
    on.upstream.say(*words)
    async with ChaosProxy(on.url, [Cut(after=1500, ending="reset")]) as proxy:
        told = [delta async for delta in ask(proxy.url, "Hi")]
    assert "".join(told) == "".join(words)
    assert len(on.upstream.requests) == 1


async def assert_runs_allowed_tools_alone(upstream: ScriptedUpstream, agent: AgentFunction, ran: Sequence[str]) -> None:
    """Of an agent with the tools ``look`` and ``buy``, which say so in ``ran``, the first one runs; and in a step with
    the second, which may not be used, neither does."""
    look, buy = ToolCall("call-1", "look", ("{}",)), ToolCall("call-2", "buy", ("{}",))
    async with stage(upstream, agent, tools=("look",)) as on:
        upstream.reply(Reply(tool_calls=[look]), Reply(tool_calls=[look, buy]))
        told = await on.chunks()
    assert [chunk["toolCallName"] for chunk in told if chunk["type"] == "TOOL_CALL_START"] == ["look", "look"]
    assert (told[-1]["code"], told[-1]["message"]) == ("refused_choice", "This key may not use the tool buy.")
    assert ran == ["look"]
    assert len(upstream.requests) == 2
    async with stage(upstream, agent, tools=("look", "buy")) as on:
        upstream.reply(Reply(tool_calls=[look, buy]), Reply(text=("Done.",)))
        await on.chunks()
    assert sorted(ran) == ["buy", "look", "look"]


def calls(client: ChatClient, message: int = 1) -> list[tuple[str, str, Any]]:
    """The tool calls that a message of a chat shows: name, arguments, output."""
    parts = client.messages[message].parts
    return [(part.name, part.arguments, part.output) for part in parts if isinstance(part, ToolCallPart)]


def thoughts(client: ChatClient, message: int = 1) -> list[str]:
    """The reasoning that a message of a chat shows."""
    return [part.content for part in client.messages[message].parts if isinstance(part, ThinkingPart)]


async def pieces(agent: AgentFunction, asked: Ask) -> list[Piece]:
    """What an agent says, without a backend."""
    return [piece async for piece in await Agent("bridged", agent).begin(asked)]


def documented(title: str, folder: Path) -> ChatBackend:
    """The backend that the program under a title of the documentation makes."""
    page = (Path(__file__).parents[2] / "docs" / "bridges.md").read_text()
    program = page.partition(f"\n## {title}\n")[2].partition("```python\n")[2].partition("```\n")[0]
    file = folder / "documented.py"
    file.write_text(program)
    backend = runpy.run_path(str(file))["backend"]
    assert isinstance(backend, ChatBackend)
    return backend

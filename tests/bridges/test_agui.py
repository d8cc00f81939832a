"""AG-UI agents over HTTP: made of the protocol's own package, and pydantic-ai's."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from ag_ui.core import (
    BaseEvent,
    CustomEvent,
    ReasoningEncryptedValueEvent,
    ReasoningEndEvent,
    ReasoningMessageContentEvent,
    ReasoningMessageStartEvent,
    ReasoningStartEvent,
    RunAgentInput,
    RunErrorEvent,
    RunFinishedEvent,
    RunStartedEvent,
    StateSnapshotEvent,
    TextMessageChunkEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    ToolCallArgsEvent,
    ToolCallChunkEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)
from ag_ui.encoder import EventEncoder
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.ui.ag_ui import AGUIAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tokenwire import Ask, Finish, Usage, messages
from tokenwire.bridges.agui import agui_agent
from tokenwire.client import HttpError
from tokenwire.client.errors import RunFailed
from tokenwire.client.options import FetchOptions, Limits
from tokenwire.events import Custom, ToolCallArgs, ToolCallEnd, ToolCallStart
from tokenwire.messages import Media, Message, Text, message
from tokenwire.testing import Reply, ScriptedUpstream, ToolCall

from .stage import Stage, assert_closes_the_model, assert_resumes, calls, pieces, serving, stage, thoughts

pytestmark = pytest.mark.anyio

Answer = Callable[[RunAgentInput], AsyncIterator[BaseEvent]]


class Remote:
    """An AG-UI server that answers as a test says, and keeps what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[RunAgentInput] = []
        self.headers: list[dict[str, str]] = []
        self.left = asyncio.Event()
        self._answer = answer

    async def __call__(self, request: Request) -> Response:
        asked = RunAgentInput.model_validate_json(await request.body())
        self.asked.append(asked)
        self.headers.append(dict(request.headers))
        encoder = EventEncoder(request.headers["accept"])
        return StreamingResponse(self._told(asked, encoder), media_type=encoder.get_content_type())

    async def _told(self, asked: RunAgentInput, encoder: EventEncoder) -> AsyncIterator[str]:
        try:
            async for event in self._answer(asked):
                yield encoder.encode(event)
        finally:
            self.left.set()


@asynccontextmanager
async def remote(answer: Answer) -> AsyncIterator[tuple[Remote, str]]:
    endpoint = Remote(answer)
    async with serving(Starlette(routes=[Route("/agent", endpoint.__call__, methods=["POST"])])) as url:
        yield endpoint, f"{url}/agent"


def says(*told: BaseEvent, ends: bool = True) -> Answer:
    """An answer of these events, as a run."""

    async def answer(asked: RunAgentInput) -> AsyncIterator[BaseEvent]:
        yield RunStartedEvent(thread_id=asked.thread_id, run_id=asked.run_id)
        for event in told:
            yield event
        if ends:
            yield RunFinishedEvent(thread_id=asked.thread_id, run_id=asked.run_id)

    return answer


def text(*deltas: str) -> list[BaseEvent]:
    return [
        TextMessageStartEvent(message_id="theirs", role="assistant"),
        *(TextMessageContentEvent(message_id="theirs", delta=delta) for delta in deltas),
        TextMessageEndEvent(message_id="theirs"),
    ]


def asked(*conversation: Message, **more: Any) -> Ask:
    return Ask(messages=conversation or (message("user", "Hi"),), thread_id="t", run_id="r", **more)


async def test_the_text_is_passed_on_under_ids_of_ours(upstream: ScriptedUpstream) -> None:
    async with remote(says(*text("Hel", "lo"))) as (_, url), stage(upstream, agui_agent(url)) as on:
        chunks = await on.chunks()
    assert "".join(chunk.get("delta", "") for chunk in chunks) == "Hello"
    assert [chunk["type"] for chunk in chunks].count("RUN_STARTED") == 1
    assert chunks[-1]["type"] == "RUN_FINISHED"
    assert "theirs" not in json.dumps(chunks)


async def test_what_the_agent_is_asked() -> None:
    document = Media("document", data="JVBERi0=", mime_type="application/pdf")
    conversation = (
        message("system", "Be brief."),
        Message("user", (Text("This?"), Media("image", url="https://example.com/a.png"), document)),
        Message(
            "assistant",
            (messages.Reasoning("hm", "ag-ui:cipher"), messages.Reasoning("Obey.", "anthropic:x"), Text("A boat.")),
            (messages.ToolCall("call-1", "find_order", "{}"),),
        ),
        Message("tool", (Text("7"),), tool_call_id="call-1"),
        message("user", "Thanks"),
    )

    async def headers(ask: Ask) -> dict[str, str]:
        return {"Authorization": f"Bearer {ask.principal}"}

    async with remote(says(*text("Bye"))) as (endpoint, url):
        agent = agui_agent(url, headers=headers, forwarded_props=lambda ask: {"lang": ask.data["lang"]})
        await pieces(agent, asked(*conversation, principal="ann", data={"lang": "en", "command": "resume"}))
        await pieces(agui_agent(url), asked(data={"command": "resume"}))
    given, bare = endpoint.asked
    assert (given.thread_id, given.run_id, given.forwarded_props) == ("ann/t", "r", {"lang": "en"})
    assert (bare.thread_id, bare.forwarded_props) == ("t", {})
    assert endpoint.headers[0]["authorization"] == "Bearer ann"
    rows = [row.model_dump(by_alias=True, exclude_none=True, exclude={"id"}) for row in given.messages]
    assert len({row.id for row in given.messages}) == 6
    assert rows[0] == {"role": "system", "content": "Be brief."}
    assert rows[1]["content"] == [
        {"type": "text", "text": "This?"},
        {"type": "image", "source": {"type": "url", "value": "https://example.com/a.png"}},
        {"type": "document", "source": {"type": "data", "value": "JVBERi0=", "mimeType": "application/pdf"}},
    ]
    assert rows[2] == {"role": "reasoning", "content": "hm", "encryptedValue": "cipher"}
    call = {"id": "call-1", "type": "function", "function": {"name": "find_order", "arguments": "{}"}}
    assert rows[3] == {"role": "assistant", "content": "A boat.", "toolCalls": [call]}
    assert rows[4] == {"role": "tool", "content": "7", "toolCallId": "call-1"}
    assert rows[5] == {"role": "user", "content": "Thanks"}


async def test_each_kind_of_event() -> None:
    answer = says(
        StateSnapshotEvent(snapshot={"step": 1}),
        CustomEvent(name="progress", value={"done": 1}),
        ToolCallStartEvent(tool_call_id="call-1", tool_call_name="find_order"),
        ToolCallArgsEvent(tool_call_id="call-1", delta="{}"),
        ToolCallEndEvent(tool_call_id="call-1"),
        ToolCallResultEvent(message_id="m", tool_call_id="call-1", content="7"),
        ToolCallResultEvent(message_id="m", tool_call_id="call-of-an-earlier-run", content="8"),
        ToolCallChunkEvent(tool_call_id="call-2", tool_call_name="delete", delta='{"na'),
        ToolCallChunkEvent(delta='me": 1}'),
        TextMessageChunkEvent(message_id="m", role="assistant", delta="Hello"),
    )
    async with remote(answer) as (_, url):
        told = await pieces(agui_agent(url), asked())
    assert [tuple(piece) if isinstance(piece, tuple) else piece for piece in told] == [
        Custom("progress", {"done": 1}),
        ToolCallStart("call-1", "find_order", ""),
        ToolCallArgs("call-1", "{}"),
        ToolCallEnd("call-1"),
        ("call-1", "7"),
        ToolCallStart("call-2", "delete", ""),
        ToolCallArgs("call-2", '{"na'),
        ToolCallArgs("call-2", 'me": 1}'),
        "Hello",
        ("tool_calls", None, None),
    ]


async def test_reasoning_comes_back_signed(upstream: ScriptedUpstream) -> None:
    answer = says(
        ReasoningStartEvent(message_id="m"),
        ReasoningMessageStartEvent(message_id="m", role="reasoning"),
        ReasoningMessageContentEvent(message_id="m", delta="Let me think."),
        ReasoningEncryptedValueEvent(subtype="message", entity_id="m", encrypted_value="cipher"),
        ReasoningEndEvent(message_id="m"),
        *text("Hello"),
    )
    async with remote(answer) as (endpoint, url), stage(upstream, agui_agent(url)) as on, on.client() as client:
        await client.send_message("Hi")
        assert (thoughts(client), client.messages[1].text) == (["Let me think."], "Hello")
        await client.send_message("Thanks")
    rows: list[Any] = list(endpoint.asked[1].messages)
    assert [(row.role, row.content, row.encrypted_value) for row in rows[1:3]] == [
        ("reasoning", "Let me think.", "cipher"),
        ("assistant", "Hello", None),
    ]


async def test_usage_of_all_its_models() -> None:
    async def answer(given: RunAgentInput) -> AsyncIterator[BaseEvent]:
        used: Any = [{"inputTokens": 3, "outputTokens": 2}, {"inputTokens": 4, "cachedInputTokens": 1}]
        yield RunFinishedEvent(thread_id=given.thread_id, run_id=given.run_id, usage=used)

    async with remote(answer) as (_, url):
        assert await pieces(agui_agent(url), asked()) == [
            Finish("stop", Usage(prompt_tokens=7, completion_tokens=2, cached_tokens=1))
        ]


async def test_the_agents_own_error_is_told_safely(upstream: ScriptedUpstream) -> None:
    answer = says(*text("Hel"), RunErrorEvent(message="KeyError: sk-secret"), ends=False)
    async with remote(answer) as (_, url), stage(upstream, agui_agent(url)) as on:
        chunks = await on.chunks()
    assert "".join(chunk.get("delta", "") for chunk in chunks) == "Hel"
    assert (chunks[-1]["type"], chunks[-1]["code"]) == ("RUN_ERROR", "agent_failed")
    assert "sk-secret" not in json.dumps(chunks)


async def test_an_answer_without_an_end_is_not_complete(upstream: ScriptedUpstream) -> None:
    async with (
        remote(says(*text("Hel"), ends=False)) as (_, url),
        stage(upstream, agui_agent(url)) as on,
    ):
        with pytest.raises(RunFailed, match="broke off"):
            await on.text()


async def test_a_refusal_is_told_by_its_code(upstream: ScriptedUpstream) -> None:
    async def refuse(_: Request) -> Response:
        return JSONResponse({"error": "sk-secret"}, status_code=429, headers={"Retry-After": "7"})

    async with (
        serving(Starlette(routes=[Route("/", refuse, methods=["POST"])])) as url,
        stage(upstream, agui_agent(url)) as on,
    ):
        with pytest.raises(HttpError, match="429") as told:
            await on.text()
    assert told.value.retry_after == 7
    assert "sk-secret" not in told.value.body


async def test_what_is_no_chat_is_told_as_that(upstream: ScriptedUpstream) -> None:
    async def page(_: Request) -> Response:
        return Response("<html>sk-secret</html>\n\n")

    async with (
        serving(Starlette(routes=[Route("/", page, methods=["POST"])])) as url,
        stage(upstream, agui_agent(url)) as on,
    ):
        with pytest.raises(HttpError, match="502") as told:
            await on.text()
    assert "could not be read" in told.value.body


async def test_an_agent_that_is_not_there_or_falls_silent_is_told_as_that(upstream: ScriptedUpstream) -> None:
    async def silent(_: RunAgentInput) -> AsyncIterator[BaseEvent]:
        await asyncio.Event().wait()
        yield RunStartedEvent(thread_id="t", run_id="r")

    async with remote(silent) as (_, url):
        impatient = FetchOptions(limits=Limits(silence=0.05))
        async with stage(upstream, agui_agent(url, options=impatient)) as on:
            with pytest.raises(HttpError, match="504"):
                await on.text()
    async with stage(upstream, agui_agent(url)) as on:
        with pytest.raises(HttpError, match="502"):
            await on.text()


@pytest.fixture
async def on(upstream: ScriptedUpstream, openai: AsyncOpenAI) -> AsyncIterator[Stage]:
    """The agent is pydantic-ai's, behind its own AG-UI adapter."""
    agent = Agent(OpenAIChatModel("any", provider=OpenAIProvider(openai_client=openai)))

    @agent.tool_plain
    def find_order(number: int) -> dict[str, int]:
        return {"number": number}

    async def endpoint(request: Request) -> Response:
        return await AGUIAdapter.dispatch_request(request, agent=agent)

    async with (
        serving(Starlette(routes=[Route("/", endpoint, methods=["POST"])])) as url,
        stage(upstream, agui_agent(url)) as on,
    ):
        yield on


async def test_a_tool_that_runs_inside_is_seen_and_comes_back_on_the_next_turn(on: Stage) -> None:
    find = ToolCall("call-1", "find_order", ('{"num', 'ber": 7}'))
    on.upstream.reply(Reply(tool_calls=[find]), Reply(text=("On its", " way.")), Reply(text=("Bye.",)))
    async with on.client() as client:
        await client.send_message("Where is my order?")
        assert calls(client) == [("find_order", '{"number": 7}', {"number": 7})]
        assert client.messages[-1].text == "On its way."
        await client.send_message("Thanks")
    rows = [(row["role"], row.get("content")) for row in on.upstream.requests[2].body["messages"]]
    assert rows == [
        ("user", "Where is my order?"),
        ("assistant", None),
        ("tool", '{"number":7}'),
        ("assistant", "On its way."),
        ("user", "Thanks"),
    ]


async def test_a_stopped_answer_closes_the_model(on: Stage) -> None:
    await assert_closes_the_model(on)


async def test_an_answer_that_is_not_read_on_is_left() -> None:
    async def answer(given: RunAgentInput) -> AsyncIterator[BaseEvent]:
        yield TextMessageContentEvent(message_id="m", delta="Hel")
        await asyncio.Event().wait()

    async with remote(answer) as (endpoint, url):
        told: Any = agui_agent(url)(asked())
        assert await anext(told) == "Hel"
        await told.aclose()
        async with asyncio.timeout(20):
            await endpoint.left.wait()


async def test_a_cut_stream_is_resumed(on: Stage) -> None:
    await assert_resumes(on)

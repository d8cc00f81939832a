"""Models asked through any-llm, by its own providers."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from any_llm import AnyLLM

from tokenwire import Ask, Finish, Usage
from tokenwire.bridges.any_llm import any_llm_agent
from tokenwire.client import HttpError
from tokenwire.client.errors import RunFailed
from tokenwire.messages import message
from tokenwire.testing import Reply, ScriptedUpstream, ToolCall

from .stage import Stage, assert_closes_the_model, assert_lets_go, assert_resumes, calls, pieces, stage, thoughts

pytestmark = pytest.mark.anyio

TOOL = {"type": "function", "function": {"name": "find_order", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
async def llm(upstream: ScriptedUpstream) -> AsyncIterator[AnyLLM]:
    llm: Any = AnyLLM.create("openai", "sk-test", upstream.base_url, unified_exceptions=True, max_retries=0)
    yield llm
    await llm.client.close()


@pytest.fixture
async def on(upstream: ScriptedUpstream, llm: AnyLLM) -> AsyncIterator[Stage]:
    async with stage(upstream, any_llm_agent(llm, "any", temperature=0.1, seed=7)) as on:
        yield on


async def test_the_text_is_what_the_model_said(on: Stage) -> None:
    on.upstream.say("Hel", "lo")
    assert await on.text() == "Hello"


async def test_reasoning_and_how_it_ends(on: Stage) -> None:
    reply = Reply(reasoning=("h", "m"), text=("Hel", "lo"), finish_reason="length", cached_tokens=3, model="gpt-test")
    on.upstream.reply(reply, reply)
    async with on.client() as client:
        await client.send_message("Hi")
        assert (thoughts(client), client.messages[1].text) == (["hm"], "Hello")
    end = (await on.chunks())[-1]
    assert (end["finishReason"], end["model"]) == ("length", "gpt-test")
    usage = {"promptTokens": 8, "completionTokens": 4, "totalTokens": 12, "cachedTokens": 3, "reasoningTokens": 2}
    assert end["usage"] == usage


async def test_the_conversation_arrives_on_the_second_turn(on: Stage) -> None:
    on.upstream.reply(Reply(text=("One.",)), Reply(text=("Two.",)))
    async with on.client() as client:
        await client.send_message("First")
        await client.send_message("Second")
    rows = [(row["role"], row["content"]) for row in on.upstream.requests[1].body["messages"]]
    assert rows == [("user", "First"), ("assistant", "One."), ("user", "Second")]


async def test_what_was_asked_for_wins_over_the_options(upstream: ScriptedUpstream, llm: AnyLLM) -> None:
    asked = Ask(messages=(message("user", "Hi"),), thread_id="t", run_id="r", temperature=0.5, max_tokens=9)
    upstream.say("Hello")
    *_, end = await pieces(any_llm_agent(llm, "any", temperature=0.1, seed=7), asked)
    assert end == Finish("stop", Usage(prompt_tokens=8, completion_tokens=1, total_tokens=9, reasoning_tokens=0), "any")
    body = upstream.requests[0].body
    assert (body["model"], body["temperature"], body["seed"]) == ("any", 0.5, 7)
    assert body.get("max_tokens", body.get("max_completion_tokens")) == 9


async def test_calls_are_told(upstream: ScriptedUpstream, llm: AnyLLM) -> None:
    made = [ToolCall("call-1", "find_order", ('{"num', 'ber": 7}')), ToolCall("call-2", "find_order", ("{}",))]
    upstream.default = Reply(tool_calls=made, finish_reason="tool_calls")
    agent = any_llm_agent(llm, "any", tools=[TOOL])
    async with stage(upstream, agent) as on, on.client() as client:
        await client.send_message("Where is it?")
        assert [call[:2] for call in calls(client)] == [("find_order", '{"number": 7}'), ("find_order", "{}")]
    *_, end = await pieces(agent, Ask(messages=(message("user", "Hi"),), thread_id="t", run_id="r"))
    assert isinstance(end, Finish)
    assert end.reason == "tool_calls"


async def test_a_stopped_answer_closes_the_model(on: Stage) -> None:
    await assert_closes_the_model(on)


async def test_an_answer_that_is_not_read_on_closes_the_model(upstream: ScriptedUpstream, llm: AnyLLM) -> None:
    await assert_lets_go(upstream, any_llm_agent(llm, "any"))


async def test_a_cut_stream_is_resumed(on: Stage) -> None:
    await assert_resumes(on)


async def test_a_refusal_of_the_model_is_told_safely(on: Stage) -> None:
    error = {"error": {"message": "You are out of credits, sk-secret", "code": "insufficient_quota"}}
    on.upstream.default = Reply(status=429, body=error)
    with pytest.raises(HttpError, match="502") as told:
        await on.text()
    assert "used up" in told.value.body
    assert "sk-secret" not in told.value.body


async def test_an_error_in_the_midst_of_the_answer_is_told_safely(on: Stage) -> None:
    error = {"message": "engine sk-secret is overloaded", "code": "server_overloaded"}
    on.upstream.reply(Reply(text=("Hel", "lo"), error_after=1, error=error))
    chunks = await on.chunks()
    assert "".join(chunk.get("delta", "") for chunk in chunks) == "Hel"
    assert chunks[-1]["code"] == "upstream_overloaded"
    assert "sk-secret" not in json.dumps(chunks)


async def test_a_model_that_cannot_be_reached_is_told_safely() -> None:
    async with ScriptedUpstream() as gone:
        pass
    llm: Any = AnyLLM.create("openai", "sk-test", gone.base_url, unified_exceptions=True, max_retries=0)
    async with stage(gone, any_llm_agent(llm, "any")) as on:
        with pytest.raises(HttpError, match="502"):
            await on.text()
    await llm.client.close()


async def test_an_answer_without_an_end_is_not_complete(on: Stage) -> None:
    on.upstream.reply(Reply(text=("Hel",), finish_reason=None, done=False))
    with pytest.raises(RunFailed, match="broke off"):
        await on.text()

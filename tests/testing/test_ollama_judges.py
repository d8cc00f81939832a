"""Ollama's own client is the judge of what the scripted upstream says as its chat."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from ollama import AsyncClient, ChatResponse, ResponseError

from tokenwire.testing import ONE_WRITE, Reply, ScriptedUpstream, ToolCall

pytestmark = pytest.mark.anyio

ASK: Any = {"model": "m-0", "messages": [{"role": "user", "content": "Hi"}]}
ANSWER = Reply(
    reasoning=("so", " so"),
    text=("Grüß", " dich, ", "👋🏽 ", "\n\n"),
    tool_calls=(ToolCall("call_1", "weather", ('{"city":', ' "Köln"}')), ToolCall(None, "clock")),
    finish_reason="tool_calls",
    prompt_tokens=20,
)
CALLS = [("weather", {"city": "Köln"}), ("clock", {})]


@pytest.fixture
async def ollama(upstream: ScriptedUpstream) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(upstream.origin, timeout=10) as client:
        yield client


async def read(ollama: AsyncClient, parts: list[ChatResponse]) -> None:
    """Reads one streamed answer, and keeps its parts as far as they come."""
    async for part in await ollama.chat(**ASK, stream=True):
        parts.append(part)


async def streamed(ollama: AsyncClient) -> list[ChatResponse]:
    parts: list[ChatResponse] = []
    await read(ollama, parts)
    return parts


def calls_of(*parts: ChatResponse) -> list[tuple[str, Any]]:
    calls = [call for part in parts for call in part.message.tool_calls or ()]
    return [(call.function.name, call.function.arguments) for call in calls]


def text_of(parts: list[ChatResponse]) -> list[str]:
    return [part.message.content for part in parts if part.message.content]


async def test_a_stream_is_what_was_scripted(upstream: ScriptedUpstream, ollama: AsyncClient) -> None:
    upstream.reply(ANSWER)
    parts = await streamed(ollama)
    assert [part.message.thinking for part in parts if part.message.thinking] == list(ANSWER.reasoning)
    assert text_of(parts) == list(ANSWER.text)
    assert calls_of(*parts) == CALLS
    assert {(part.model, part.message.role) for part in parts} == {("m-0", "assistant")}
    assert [part.done for part in parts] == [False] * 8 + [True]


async def test_a_whole_answer_is_the_same(upstream: ScriptedUpstream, ollama: AsyncClient) -> None:
    upstream.reply(replace(ANSWER, model="m-1"))
    answer = await ollama.chat(**ASK)
    assert (answer.message.thinking, answer.message.content) == ("so so", "".join(ANSWER.text))
    assert calls_of(answer) == CALLS
    assert (answer.model, answer.done, answer.done_reason) == ("m-1", True, "stop")


async def test_the_last_part_has_the_usage(upstream: ScriptedUpstream, ollama: AsyncClient) -> None:
    upstream.reply(ANSWER, ANSWER, replace(ANSWER, usage=False))
    *_, before, last = await streamed(ollama)
    assert (before.prompt_eval_count, before.eval_count) == (None, None)
    for answer in (last, await ollama.chat(**ASK)):
        assert (answer.prompt_eval_count, answer.eval_count) == (20, 8)
    assert (await streamed(ollama))[-1].eval_count is None


@pytest.mark.parametrize(
    ("reason", "said"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "stop"), ("tool_calls", "stop"), ("load", "load")],
)
async def test_a_finish_reason_is_translated(
    upstream: ScriptedUpstream, ollama: AsyncClient, reason: str, said: str
) -> None:
    upstream.reply(*[Reply(text=("a",), finish_reason=reason)] * 2)
    assert (await streamed(ollama))[-1].done_reason == said
    assert (await ollama.chat(**ASK)).done_reason == said


async def test_a_stream_can_lack_its_end(upstream: ScriptedUpstream, ollama: AsyncClient) -> None:
    upstream.reply(Reply(text=("a",), finish_reason=None))
    assert [part.done for part in await streamed(ollama)] == [False]


async def test_it_streams_unless_told_not_to(upstream: ScriptedUpstream) -> None:
    async with httpx.AsyncClient(base_url=upstream.origin) as client:
        told, untold = [await client.post("/api/chat", json=ASK | more) for more in ({"stream": False}, {})]
    assert told.headers["content-type"] == "application/json"
    assert untold.headers["content-type"] == "application/x-ndjson"
    assert untold.text.count("\n") == 4


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("write_sizes", [None, ONE_WRITE, (1,), (7, 1, 64)], ids=str)
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_the_way_it_is_sent_changes_nothing(
    upstream: ScriptedUpstream, ollama: AsyncClient, line_end: Any, write_sizes: Any, framing: Any
) -> None:
    # it has no comments to put before its messages
    upstream.reply(replace(ANSWER, line_end=line_end, write_sizes=write_sizes, framing=framing, comments=True))
    parts = await streamed(ollama)
    assert (text_of(parts), calls_of(*parts)) == (list(ANSWER.text), CALLS)
    assert upstream.requests[0].sent == ANSWER.deltas


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_a_refusal_raises_with_its_status(upstream: ScriptedUpstream, ollama: AsyncClient, status: int) -> None:
    upstream.reply(*[Reply(status=status)] * 2)
    with pytest.raises(ResponseError) as stream:
        await streamed(ollama)
    with pytest.raises(ResponseError) as whole:
        await ollama.chat(**ASK)
    for refused in (stream.value, whole.value):
        assert (refused.status_code, refused.error) == (status, f"Scripted refusal {status}.")


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
async def test_an_error_in_the_stream_follows_so_many_deltas(
    upstream: ScriptedUpstream, ollama: AsyncClient, after: int
) -> None:
    upstream.reply(Reply(text=("a", "b", "c"), error_after=after, error={"message": "out of memory"}))
    parts: list[ChatResponse] = []
    with pytest.raises(ResponseError, match="out of memory"):
        await read(ollama, parts)
    assert text_of(parts) == ["a", "b", "c"][:after]


async def test_a_whole_answer_fails_as_a_stream(upstream: ScriptedUpstream, ollama: AsyncClient) -> None:
    upstream.reply(Reply(text=("a", "b"), error_after=1))
    with pytest.raises(ResponseError, match="The model failed") as failed:
        await ollama.chat(**ASK)
    assert failed.value.status_code == 500


@pytest.mark.parametrize("fault", ["cut_at", "reset_at"])
async def test_a_lost_connection_is_not_an_end(upstream: ScriptedUpstream, ollama: AsyncClient, fault: str) -> None:
    faulty: dict[str, Any] = {fault: 600}
    upstream.reply(Reply(text=("word ",) * 10, **faulty))
    parts: list[ChatResponse] = []
    with pytest.raises(httpx.TransportError):
        await read(ollama, parts)
    assert 0 < len(text_of(parts)) < 10


async def test_a_bad_request_takes_no_reply(upstream: ScriptedUpstream, ollama: AsyncClient) -> None:
    upstream.say("kept")
    with pytest.raises(ResponseError, match="messages"):
        await ollama.chat(model="m-0", messages=[])
    assert (await ollama.chat(**ASK)).message.content == "kept"

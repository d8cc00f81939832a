"""Google's own client is the judge of what the scripted upstream says as Gemini."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors
from google.genai.types import (
    FinishReason,
    FunctionCall,
    GenerateContentResponse,
    GenerateContentResponseUsageMetadata,
    HttpOptions,
    Part,
)

from tokenwire.testing import ONE_WRITE, Reply, ScriptedUpstream, ToolCall

pytestmark = pytest.mark.anyio

ASK: Any = {"model": "m-0", "contents": "Hi"}
WEATHER = ToolCall("call-1", "weather", ('{"city":', ' "Köln"}'))
CLOCK = ToolCall(None, "clock")
ANSWER = Reply(
    reasoning=("so", " so"),
    signature="c2lnbmVk",
    text=("Grüß", " dich, ", "👋🏽 \u2028", "\n\n"),
    prompt_tokens=20,
    cached_tokens=12,
)
CALLING = replace(ANSWER, tool_calls=(WEATHER, CLOCK), finish_reason="tool_calls")
CALLS = [
    Part(
        function_call=FunctionCall(id="call-1", name="weather", args={"city": "Köln"}),
        thought_signature=b"signed",
    ),
    Part(function_call=FunctionCall(name="clock", args={})),
]


@pytest.fixture
async def gemini(upstream: ScriptedUpstream) -> AsyncIterator[genai.client.AsyncClient]:
    # its other transport, aiohttp, warns of the way in which this client uses it
    async with httpx.AsyncClient(timeout=10) as transport:
        options = HttpOptions(base_url=upstream.origin, httpx_async_client=transport)
        yield genai.Client(api_key="test", http_options=options).aio


async def read(gemini: genai.client.AsyncClient, chunks: list[GenerateContentResponse]) -> None:
    """Reads one streamed answer, and keeps its chunks as far as they come."""
    async for chunk in await gemini.models.generate_content_stream(**ASK):
        chunks.append(chunk)


async def streamed(gemini: genai.client.AsyncClient) -> list[GenerateContentResponse]:
    chunks: list[GenerateContentResponse] = []
    await read(gemini, chunks)
    return chunks


def parts_of(chunks: Iterable[GenerateContentResponse]) -> list[Part]:
    candidates = [candidate for chunk in chunks for candidate in chunk.candidates or ()]
    contents = [candidate.content for candidate in candidates if candidate.content is not None]
    return [part for content in contents for part in content.parts or ()]


def text_of(chunks: Iterable[GenerateContentResponse]) -> list[str]:
    return [part.text for part in parts_of(chunks) if part.text and not part.thought]


def finish_of(chunk: GenerateContentResponse) -> FinishReason | None:
    assert chunk.candidates is not None
    return chunk.candidates[0].finish_reason


def usage_of(chunk: GenerateContentResponse) -> GenerateContentResponseUsageMetadata:
    assert chunk.usage_metadata is not None
    return chunk.usage_metadata


async def test_a_stream_is_what_was_scripted(upstream: ScriptedUpstream, gemini: genai.client.AsyncClient) -> None:
    upstream.reply(ANSWER)
    chunks = await streamed(gemini)
    assert parts_of(chunks) == [
        *[Part(text=delta, thought=True) for delta in ANSWER.reasoning],
        *[Part(text=delta) for delta in ANSWER.text],
        Part(text="", thought_signature=b"signed"),
    ]
    assert {chunk.model_version for chunk in chunks} == {"m-0"}
    assert [finish_of(chunk) for chunk in chunks] == [None] * ANSWER.deltas + [FinishReason.STOP]


async def test_a_whole_answer_is_the_same(upstream: ScriptedUpstream, gemini: genai.client.AsyncClient) -> None:
    upstream.reply(replace(ANSWER, model="m-1"))
    answer = await gemini.models.generate_content(**ASK)
    assert parts_of([answer]) == [
        Part(text="so so", thought=True),
        Part(text="".join(ANSWER.text), thought_signature=b"signed"),
    ]
    assert (answer.model_version, finish_of(answer)) == ("m-1", FinishReason.STOP)


async def test_calls_are_whole_and_the_first_is_signed(
    upstream: ScriptedUpstream, gemini: genai.client.AsyncClient
) -> None:
    upstream.reply(CALLING, CALLING, replace(CALLING, text=(), reasoning=()))
    chunks = await streamed(gemini)
    assert parts_of(chunks)[-3:] == [*CALLS, Part(text="")]
    assert finish_of(chunks[-1]) == FinishReason.STOP
    assert parts_of([await gemini.models.generate_content(**ASK)])[-3:] == [Part(text="".join(ANSWER.text)), *CALLS]
    assert parts_of([await gemini.models.generate_content(**ASK)]) == CALLS


async def test_the_last_chunk_has_the_usage(upstream: ScriptedUpstream, gemini: genai.client.AsyncClient) -> None:
    upstream.reply(CALLING, CALLING, replace(CALLING, usage=False))
    first, *_, last = await streamed(gemini)
    assert (usage_of(first).prompt_token_count, usage_of(first).candidates_token_count) == (20, None)
    for answer in (last, await gemini.models.generate_content(**ASK)):
        usage = usage_of(answer)
        assert (usage.prompt_token_count, usage.cached_content_token_count) == (20, 12)
        assert (usage.candidates_token_count, usage.thoughts_token_count) == (6, 2)
        assert usage.total_token_count == 28
    assert {chunk.usage_metadata for chunk in await streamed(gemini)} == {None}


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.MAX_TOKENS),
        ("content_filter", FinishReason.SAFETY),
        ("tool_calls", FinishReason.STOP),
        ("RECITATION", FinishReason.RECITATION),
    ],
)
async def test_a_finish_reason_is_translated(
    upstream: ScriptedUpstream, gemini: genai.client.AsyncClient, reason: str, said: FinishReason
) -> None:
    upstream.reply(*[Reply(text=("a",), finish_reason=reason)] * 2)
    assert finish_of((await streamed(gemini))[-1]) == said
    assert finish_of(await gemini.models.generate_content(**ASK)) == said


async def test_a_blocked_end_has_no_content(upstream: ScriptedUpstream, gemini: genai.client.AsyncClient) -> None:
    upstream.reply(Reply(text=("a",), finish_reason="content_filter"))
    chunks = await streamed(gemini)
    assert text_of(chunks) == ["a"]
    assert parts_of(chunks[-1:]) == []


async def test_a_stream_can_lack_its_end(upstream: ScriptedUpstream, gemini: genai.client.AsyncClient) -> None:
    upstream.reply(Reply(text=("a",), finish_reason=None))
    assert [finish_of(chunk) for chunk in await streamed(gemini)] == [None]


# no comments: the client takes them for the beginning of an error
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("write_sizes", [None, ONE_WRITE, (1,), (7, 1, 64)], ids=str)
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_the_way_it_is_sent_changes_nothing(
    upstream: ScriptedUpstream, gemini: genai.client.AsyncClient, line_end: Any, write_sizes: Any, framing: Any
) -> None:
    upstream.reply(replace(CALLING, line_end=line_end, write_sizes=write_sizes, framing=framing))
    chunks = await streamed(gemini)
    assert (text_of(chunks), parts_of(chunks)[-3:-1]) == (list(ANSWER.text), CALLS)
    assert upstream.requests[0].sent == CALLING.deltas


async def test_a_call_waits_for_all_its_deltas(upstream: ScriptedUpstream, gemini: genai.client.AsyncClient) -> None:
    upstream.reply(Reply(text=("a",), tool_calls=(WEATHER,), hold=True))
    chunks = await gemini.models.generate_content_stream(**ASK)
    first = asyncio.ensure_future(anext(chunks))
    request = await upstream.received()
    await request.step()
    assert text_of([await first]) == ["a"]
    with pytest.raises(TimeoutError, match="2 deltas were to be sent"):
        await request.step(timeout=0.05)
    await request.step()
    assert request.sent == 3
    [call] = parts_of([await anext(chunks)])
    assert call.function_call is not None
    assert not request.finished
    request.release()
    assert [finish_of(chunk) async for chunk in chunks] == [FinishReason.STOP]


@pytest.mark.parametrize(
    ("status", "error", "name"),
    [
        (400, errors.ClientError, "INVALID_ARGUMENT"),
        (401, errors.ClientError, "UNAUTHENTICATED"),
        (403, errors.ClientError, "PERMISSION_DENIED"),
        (404, errors.ClientError, "NOT_FOUND"),
        (429, errors.ClientError, "RESOURCE_EXHAUSTED"),
        (500, errors.ServerError, "INTERNAL"),
        (503, errors.ServerError, "UNAVAILABLE"),
        (529, errors.ServerError, "UNKNOWN"),
    ],
)
async def test_a_refusal_raises_the_error_of_its_status(
    upstream: ScriptedUpstream,
    gemini: genai.client.AsyncClient,
    status: int,
    error: type[errors.APIError],
    name: str,
) -> None:
    upstream.reply(*[Reply(status=status)] * 2)
    with pytest.raises(error) as stream:
        await streamed(gemini)
    with pytest.raises(error) as whole:
        await gemini.models.generate_content(**ASK)
    for refused in (stream.value, whole.value):
        assert (refused.code, refused.status) == (status, name)
        assert refused.message == f"Scripted refusal {status}."


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
async def test_an_error_in_the_stream_follows_so_many_deltas(
    upstream: ScriptedUpstream, gemini: genai.client.AsyncClient, after: int
) -> None:
    error = {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}
    upstream.reply(Reply(text=("a", "b", "c"), error_after=after, error=error))
    chunks: list[GenerateContentResponse] = []
    with pytest.raises(errors.ServerError) as failed:
        await read(gemini, chunks)
    assert (failed.value.code, failed.value.status, failed.value.message) == (503, "UNAVAILABLE", "Overloaded.")
    assert text_of(chunks) == ["a", "b", "c"][:after]


async def test_a_call_is_never_said_in_part(upstream: ScriptedUpstream, gemini: genai.client.AsyncClient) -> None:
    upstream.reply(Reply(text=("a",), tool_calls=(WEATHER,), error_after=2))
    chunks: list[GenerateContentResponse] = []
    with pytest.raises(errors.ServerError, match="The model failed"):
        await read(gemini, chunks)
    assert parts_of(chunks) == [Part(text="a")]


async def test_a_whole_answer_fails_as_a_stream(upstream: ScriptedUpstream, gemini: genai.client.AsyncClient) -> None:
    upstream.reply(Reply(text=("a", "b"), error_after=1))
    with pytest.raises(errors.ServerError, match="The model failed"):
        await gemini.models.generate_content(**ASK)


@pytest.mark.parametrize("fault", ["cut_at", "reset_at"])
async def test_a_lost_connection_is_not_an_end(
    upstream: ScriptedUpstream, gemini: genai.client.AsyncClient, fault: str
) -> None:
    faulty: dict[str, Any] = {fault: 900}
    upstream.reply(Reply(text=("word ",) * 10, **faulty))
    chunks: list[GenerateContentResponse] = []
    with pytest.raises(httpx.TransportError):
        await read(gemini, chunks)
    assert 0 < len(text_of(chunks)) < 10


@pytest.mark.parametrize(
    ("method", "body", "problem"),
    [
        ("streamGenerateContent", {"contents": [{"parts": [{"text": "Hi"}]}]}, "alt=sse"),
        ("generateContent", {"contents": []}, "contents"),
        ("generateContent", [], "JSON object"),
    ],
)
async def test_a_bad_request_takes_no_reply(
    upstream: ScriptedUpstream, gemini: genai.client.AsyncClient, method: str, body: Any, problem: str
) -> None:
    upstream.say("kept")
    # the client sends none of these
    async with httpx.AsyncClient(base_url=upstream.origin) as client:
        refused = await client.post(f"/v1beta/models/m-0:{method}", json=body)
    assert (refused.status_code, refused.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert problem in refused.json()["error"]["message"]
    assert (await gemini.models.generate_content(**ASK)).text == "kept"

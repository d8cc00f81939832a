"""The official client is the judge: what it reads from the scripted upstream is what was scripted."""

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, AsyncStream
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from tokenwire.testing import ONE_WRITE, Reply, ScriptedUpstream, ToolCall

pytestmark = pytest.mark.anyio

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
ANSWER = Reply(text=("Grüß", " dich, ", "👋🏽 \u2028", "\n\n"), reasoning=("so", " so"), model="m-1")
CALLING = Reply(
    text=("a", "b"),
    tool_calls=(ToolCall("call_1", "weather", ('{"city":', ' "Köln"}')), ToolCall("call_2", "clock")),
    finish_reason="tool_calls",
)


@dataclass
class Read:
    """Everything the client told of one streamed answer."""

    text: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    finish_reason: str | None = None
    usage: CompletionUsage | None = None
    models: frozenset[str] = frozenset()


async def stream(client: AsyncOpenAI, *, usage: bool = False, field: str = "reasoning_content") -> Read:
    """Reads one answer to its end."""
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if usage else {}
    read = Read()
    answer = await client.chat.completions.create(model="m-0", messages=MESSAGES, stream=True, **options)
    async with answer as chunks:
        async for chunk in chunks:
            read.models |= {chunk.model}
            read.usage = chunk.usage or read.usage
            for choice in chunk.choices:
                read.finish_reason = choice.finish_reason or read.finish_reason
                if choice.delta.content:
                    read.text += (choice.delta.content,)
                if thought := getattr(choice.delta, field, None):
                    read.reasoning += (thought,)
    return read


async def test_a_stream_gives_the_deltas_in_order(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.say("Hel", "lo")
    read = await stream(client)
    assert read == Read(text=("Hel", "lo"), finish_reason="stop", models=frozenset({"m-0"}))


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_comes_first_in_the_field_asked_for(
    upstream: ScriptedUpstream, client: AsyncOpenAI, field: Any
) -> None:
    upstream.reply(replace(ANSWER, reasoning_field=field))
    read = await stream(client, field=field)
    assert (read.reasoning, read.text) == (ANSWER.reasoning, ANSWER.text)


async def test_usage_is_streamed_when_asked_for(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.reply(ANSWER, ANSWER, replace(ANSWER, usage=False))
    asked, unasked, unknown = (
        await stream(client, usage=True),
        await stream(client),
        await stream(client, usage=True),
    )
    assert asked.usage is not None
    assert (asked.usage.prompt_tokens, asked.usage.completion_tokens, asked.usage.total_tokens) == (8, 6, 14)
    assert unasked.usage is None
    assert unknown.usage is None


async def test_the_finish_reason_can_be_another(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.reply(replace(ANSWER, finish_reason="length"), replace(ANSWER, finish_reason=None))
    assert (await stream(client)).finish_reason == "length"
    assert (await stream(client)).finish_reason is None


async def test_a_whole_answer(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.reply(ANSWER)
    answer = await client.chat.completions.create(model="m-0", messages=MESSAGES)
    message = answer.choices[0].message
    assert message.content == "".join(ANSWER.text)
    assert message.model_extra == {"reasoning_content": "so so"}
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "m-1"
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 2


async def test_cached_tokens_are_part_of_the_prompt(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.reply(replace(ANSWER, cached_tokens=5), ANSWER)
    told, untold = await stream(client, usage=True), await stream(client, usage=True)
    assert told.usage is not None
    assert told.usage.prompt_tokens_details is not None
    assert (told.usage.prompt_tokens, told.usage.prompt_tokens_details.cached_tokens) == (8, 5)
    assert untold.usage is not None
    assert untold.usage.prompt_tokens_details is None


async def test_calls_are_streamed_piece_by_piece(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.reply(CALLING)
    pieces = []
    async with await client.chat.completions.create(model="m-0", messages=MESSAGES, stream=True) as chunks:
        async for chunk in chunks:
            for call in chunk.choices[0].delta.tool_calls or ():
                assert call.function is not None
                pieces.append((call.index, call.id, call.function.name, call.function.arguments))
    assert pieces == [
        (0, "call_1", "weather", ""),
        (0, None, None, '{"city":'),
        (0, None, None, ' "Köln"}'),
        (1, "call_2", "clock", ""),
    ]


async def test_the_client_puts_calls_together(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.reply(CALLING, CALLING, replace(CALLING, text=()))
    async with client.chat.completions.stream(model="m-0", messages=MESSAGES) as chunks:
        streamed = await chunks.get_final_completion()
    whole = await client.chat.completions.create(model="m-0", messages=MESSAGES)
    silent = await client.chat.completions.create(model="m-0", messages=MESSAGES)
    for answer, text in ((streamed, "ab"), (whole, "ab"), (silent, None)):
        [choice] = answer.choices
        assert (choice.message.content, choice.finish_reason) == (text, "tool_calls")
        calls = [call for call in choice.message.tool_calls or () if call.type == "function"]
        assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
            ("call_1", "weather", '{"city": "Köln"}'),
            ("call_2", "clock", ""),
        ]


async def test_the_default_answers_an_empty_queue(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.say("once")
    upstream.default = Reply(text=("al", "ways"))
    assert [(await stream(client)).text for _ in range(3)] == [("once",), ("al", "ways"), ("al", "ways")]


async def test_what_was_asked_is_recorded(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    await stream(client, usage=True)
    [request] = upstream.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == "Bearer sk-test"
    assert request.body == {
        "model": "m-0",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert (request.sent, request.finished, request.closed) == (3, True, None)


async def test_models_are_listed(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.default = Reply(model="m-7")
    assert [model.id async for model in client.models.list()] == ["m-7"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("write_sizes", [None, ONE_WRITE, (1,), (7, 1, 64)], ids=str)
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_the_way_it_is_sent_changes_nothing(
    upstream: ScriptedUpstream, client: AsyncOpenAI, line_end: Any, write_sizes: Any, framing: Any
) -> None:
    sent = replace(ANSWER, line_end=line_end, write_sizes=write_sizes, framing=framing)
    variants = [replace(sent, comments=c, done=d) for c, d in product((False, True), repeat=2)]
    upstream.reply(*variants)
    for _ in variants:
        read = await stream(client, usage=True)
        assert (read.text, read.reasoning, read.finish_reason) == (ANSWER.text, ANSWER.reasoning, "stop")
        assert read.usage is not None
    assert all(request.sent == ANSWER.deltas for request in upstream.requests)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_a_refusal_raises_the_error_of_its_status(
    upstream: ScriptedUpstream, client: AsyncOpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    upstream.reply(Reply(status=status, headers={"Retry-After": "3"}))
    with pytest.raises(error) as refused:
        await stream(client)
    assert refused.value.response.headers["retry-after"] == "3"
    assert refused.value.type is not None


async def test_a_refusal_can_be_a_page_of_html(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.reply(Reply(status=502, headers={"content-type": "text/html"}, body="<h1>Bad gateway</h1>"))
    with pytest.raises(openai.InternalServerError) as refused:
        await stream(client)
    assert refused.value.response.headers.get_list("content-type") == ["text/html"]
    assert refused.value.response.text == "<h1>Bad gateway</h1>"


async def test_a_refusal_can_say_what_the_test_wants(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    error = {"message": "Too long.", "code": "context_length_exceeded"}
    upstream.reply(Reply(status=400, body={"error": error}))
    with pytest.raises(openai.BadRequestError, match=r"Too long\.") as refused:
        await stream(client)
    assert refused.value.code == "context_length_exceeded"


async def test_a_retry_gets_the_next_reply(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.reply(Reply(status=429, headers={"Retry-After-Ms": "1"}), Reply(text=("there",)))
    assert (await stream(client.with_options(max_retries=1))).text == ("there",)
    assert len(upstream.requests) == 2


async def test_a_bad_request_takes_no_reply(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.say("kept")
    with pytest.raises(openai.BadRequestError, match="messages"):
        await client.chat.completions.create(model="m-0", messages=[])
    assert (await stream(client)).text == ("kept",)


async def test_an_unknown_path_is_not_found(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="/v1/embeddings"):
        await client.embeddings.create(model="m-0", input="Hi")


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
async def test_an_error_in_the_stream_follows_so_many_deltas(
    upstream: ScriptedUpstream, client: AsyncOpenAI, after: int
) -> None:
    error = {"message": "overloaded", "code": 503}
    upstream.reply(Reply(text=("a", "b", "c"), error_after=after, error=error))
    seen: list[str] = []

    async def read(chunks: AsyncStream[ChatCompletionChunk]) -> None:
        async for chunk in chunks:
            seen.extend(choice.delta.content for choice in chunk.choices if choice.delta.content)

    async with await client.chat.completions.create(model="m-0", messages=MESSAGES, stream=True) as chunks:
        with pytest.raises(openai.APIError, match="overloaded"):
            await read(chunks)
    assert seen == ["a", "b", "c"][:after]


async def test_a_whole_answer_fails_as_a_stream(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.reply(Reply(text=("a", "b"), error_after=1))
    with pytest.raises(openai.InternalServerError, match="The model failed"):
        await client.chat.completions.create(model="m-0", messages=MESSAGES)


@pytest.mark.parametrize("fault", ["cut_at", "reset_at"])
@pytest.mark.parametrize("offset", [0, 20, 700])
async def test_a_lost_connection_is_a_connection_error(
    upstream: ScriptedUpstream, client: AsyncOpenAI, fault: str, offset: int
) -> None:
    faulty: dict[str, Any] = {fault: offset}
    upstream.reply(Reply(text=("word ",) * 10, **faulty))
    with pytest.raises(openai.APIConnectionError):
        await stream(client)


async def test_a_cut_is_silent_without_a_framing(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.reply(Reply(text=("word ",) * 10, framing="close", cut_at=1000))
    read = await stream(client)
    assert 0 < len(read.text) < 10
    assert read.finish_reason is None


async def test_a_stall_runs_into_the_timeout(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.reply(Reply(text=("word ",) * 10, stall_at=700))
    with pytest.raises(openai.APITimeoutError):
        await stream(client.with_options(timeout=0.2))
    await upstream.requests[0].wait_closed()

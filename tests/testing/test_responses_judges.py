"""OpenAI's own client is the judge of what the scripted upstream says as Responses."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import product
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import (
    ResponseErrorEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseReasoningItem,
    ResponseStreamEvent,
)
from openai.types.responses.response_reasoning_item import Summary

from tokenwire.testing import ONE_WRITE, Reply, ScriptedUpstream, ToolCall

pytestmark = pytest.mark.anyio

ASK: Any = {"model": "m-0", "input": "Hi"}
SIGNED: Any = ASK | {"include": ["reasoning.encrypted_content"]}
WEATHER = ToolCall("call_1", "weather", ('{"city":', ' "Köln"}'))
CLOCK = ToolCall("call_2", "clock")
ANSWER = Reply(
    reasoning=("so", " so"),
    signature="c2lnbmVk",
    text=("Grüß", " dich, ", "👋🏽 \u2028", "\n\n"),
    tool_calls=(WEATHER, CLOCK),
    finish_reason="tool_calls",
    prompt_tokens=20,
    cached_tokens=12,
)
OUTPUT = [
    ResponseReasoningItem(
        id="rs_000001",
        type="reasoning",
        summary=[Summary(type="summary_text", text="so so")],
        encrypted_content="c2lnbmVk",
    ),
    ResponseOutputMessage(
        id="msg_000001",
        type="message",
        role="assistant",
        status="completed",
        content=[ResponseOutputText(type="output_text", text="".join(ANSWER.text), annotations=[], logprobs=[])],
    ),
    ResponseFunctionToolCall(
        id="fc_000001_0",
        type="function_call",
        status="completed",
        call_id="call_1",
        name="weather",
        arguments='{"city": "Köln"}',
    ),
    ResponseFunctionToolCall(
        id="fc_000001_1", type="function_call", status="completed", call_id="call_2", name="clock", arguments=""
    ),
]


@pytest.fixture
async def strict(upstream: ScriptedUpstream) -> AsyncIterator[AsyncOpenAI]:
    options: dict[str, Any] = {"max_retries": 0, "timeout": 10, "_strict_response_validation": True}
    async with AsyncOpenAI(base_url=upstream.base_url, api_key="sk-test", **options) as client:
        yield client


async def read(client: AsyncOpenAI, events: list[ResponseStreamEvent], ask: Any = ASK) -> None:
    """Reads one streamed answer, and keeps its events as far as they come."""
    async with await client.responses.create(**ask, stream=True) as stream:
        async for event in stream:
            events.append(event)


def text_of(events: list[ResponseStreamEvent]) -> list[str]:
    return [event.delta for event in events if event.type == "response.output_text.delta"]


async def test_a_stream_ends_with_what_was_scripted(upstream: ScriptedUpstream, strict: AsyncOpenAI) -> None:
    upstream.reply(ANSWER)
    events: list[ResponseStreamEvent] = []
    await read(strict, events, SIGNED)
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output == OUTPUT
    assert (last.response.model, last.response.status) == ("m-0", "completed")
    items = [event.item for event in events if event.type == "response.output_item.done"]
    assert items == OUTPUT


async def test_a_whole_answer_is_the_same(upstream: ScriptedUpstream, strict: AsyncOpenAI) -> None:
    upstream.reply(replace(ANSWER, model="m-1"))
    response = await strict.responses.create(**SIGNED)
    assert response.output == OUTPUT
    assert response.output_text == "".join(ANSWER.text)
    assert (response.model, response.status) == ("m-1", "completed")


async def test_usage_is_in_both(upstream: ScriptedUpstream, strict: AsyncOpenAI) -> None:
    upstream.reply(ANSWER, ANSWER, replace(ANSWER, usage=False))
    events: list[ResponseStreamEvent] = []
    await read(strict, events)
    assert events[-1].type == "response.completed"
    for response in (events[-1].response, await strict.responses.create(**ASK)):
        usage = response.usage
        assert usage is not None
        assert (usage.input_tokens, usage.input_tokens_details.cached_tokens) == (20, 12)
        assert (usage.output_tokens, usage.output_tokens_details.reasoning_tokens) == (8, 2)
        assert usage.total_tokens == 28
    assert (await strict.responses.create(**ASK)).usage is None


async def test_the_events_are_those_of_the_service(upstream: ScriptedUpstream, strict: AsyncOpenAI) -> None:
    upstream.reply(ANSWER)
    events: list[ResponseStreamEvent] = []
    await read(strict, events)
    added, done = "output_item.added", "output_item.done"
    assert [event.type.removeprefix("response.") for event in events] == [
        *["created", "in_progress"],
        *[added, "reasoning_summary_part.added", *["reasoning_summary_text.delta"] * 2],
        *["reasoning_summary_text.done", "reasoning_summary_part.done", done],
        *[added, "content_part.added", *["output_text.delta"] * 4, "output_text.done", "content_part.done", done],
        *[added, *["function_call_arguments.delta"] * 2, "function_call_arguments.done", done],
        *[added, "function_call_arguments.done", done],
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    indices = [event.output_index for event in events if event.type == "response.output_item.added"]
    assert indices == [0, 1, 2, 3]


async def test_each_delta_is_what_was_scripted(upstream: ScriptedUpstream, strict: AsyncOpenAI) -> None:
    upstream.reply(ANSWER)
    events: list[ResponseStreamEvent] = []
    await read(strict, events)
    thoughts = [event.delta for event in events if event.type == "response.reasoning_summary_text.delta"]
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert (thoughts, text_of(events), pieces) == (
        list(ANSWER.reasoning),
        list(ANSWER.text),
        list(WEATHER.arguments),
    )


async def test_the_client_puts_the_deltas_together(upstream: ScriptedUpstream, strict: AsyncOpenAI) -> None:
    upstream.reply(ANSWER)
    async with strict.responses.stream(**ASK) as stream:
        response = await stream.get_final_response()
    assert response.output_text == "".join(ANSWER.text)
    calls = [item for item in response.output if item.type == "function_call"]
    assert [(call.call_id, call.name, call.arguments) for call in calls] == [
        ("call_1", "weather", '{"city": "Köln"}'),
        ("call_2", "clock", ""),
    ]


async def test_a_signature_is_sent_to_those_who_ask(upstream: ScriptedUpstream, strict: AsyncOpenAI) -> None:
    upstream.reply(*[Reply(text=("a",), signature="c2lnbmVk")] * 3)
    other: Any = ASK | {"include": ["message.output_text.logprobs"]}
    for ask, signature in ((SIGNED, "c2lnbmVk"), (ASK, None), (other, None)):
        thought = (await strict.responses.create(**ask)).output[0]
        assert thought.type == "reasoning"
        assert (thought.summary, thought.encrypted_content) == ([], signature)


@pytest.mark.parametrize(
    ("reason", "status", "detail"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
    ],
)
async def test_a_finish_reason_is_translated(
    upstream: ScriptedUpstream, strict: AsyncOpenAI, reason: str, status: str, detail: str | None
) -> None:
    upstream.reply(*[Reply(text=("a",), finish_reason=reason)] * 2)
    events: list[ResponseStreamEvent] = []
    await read(strict, events)
    last = events[-1]
    assert last.type in ("response.completed", "response.incomplete")
    assert last.type == f"response.{status}"
    for response in (last.response, await strict.responses.create(**ASK)):
        assert response.status == status
        assert (response.incomplete_details and response.incomplete_details.reason) == detail


async def test_a_stream_can_lack_its_end(upstream: ScriptedUpstream, strict: AsyncOpenAI) -> None:
    upstream.reply(Reply(text=("a",), finish_reason=None))
    events: list[ResponseStreamEvent] = []
    await read(strict, events)
    assert events[-1].type == "response.output_item.done"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("write_sizes", [None, ONE_WRITE, (1,), (7, 1, 64)], ids=str)
async def test_the_way_it_is_sent_changes_nothing(
    upstream: ScriptedUpstream, strict: AsyncOpenAI, line_end: Any, write_sizes: Any
) -> None:
    sent = replace(ANSWER, line_end=line_end, write_sizes=write_sizes)
    framings: tuple[Any, ...] = ("chunked", "length", "close")
    variants = [replace(sent, comments=c, framing=framing) for c, framing in product((False, True), framings)]
    upstream.reply(*variants)
    for _ in variants:
        events: list[ResponseStreamEvent] = []
        await read(strict, events)
        assert (text_of(events), events[-1].type) == (list(ANSWER.text), "response.completed")
    assert all(request.sent == ANSWER.deltas for request in upstream.requests)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_raises_the_error_of_its_status(
    upstream: ScriptedUpstream, strict: AsyncOpenAI, status: int, error: type[openai.APIStatusError], stream: bool
) -> None:
    upstream.reply(Reply(status=status, headers={"Retry-After": "3"}))
    with pytest.raises(error, match=f"Scripted refusal {status}") as refused:
        await strict.responses.create(**ASK, stream=stream)
    assert refused.value.response.headers["retry-after"] == "3"
    assert refused.value.type is not None


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
async def test_an_error_in_the_stream_follows_so_many_deltas(
    upstream: ScriptedUpstream, strict: AsyncOpenAI, after: int
) -> None:
    error = {"code": "rate_limit_exceeded", "message": "Slow down."}
    upstream.reply(Reply(text=("a", "b", "c"), error_after=after, error=error))
    events: list[ResponseStreamEvent] = []
    await read(strict, events)
    assert text_of(events) == ["a", "b", "c"][:after]
    told, failed = events[-2:]
    assert isinstance(told, ResponseErrorEvent)
    assert (told.code, told.message) == ("rate_limit_exceeded", "Slow down.")
    assert failed.type == "response.failed"
    assert failed.response.status == "failed"
    assert failed.response.error is not None
    assert (failed.response.error.code, failed.response.error.message) == ("rate_limit_exceeded", "Slow down.")
    assert failed.sequence_number == len(events) - 1


async def test_a_whole_answer_fails_as_a_stream(upstream: ScriptedUpstream, strict: AsyncOpenAI) -> None:
    upstream.reply(Reply(text=("a", "b"), error_after=1))
    with pytest.raises(openai.InternalServerError, match="The model failed"):
        await strict.responses.create(**ASK)


@pytest.mark.parametrize("fault", ["cut_at", "reset_at"])
async def test_a_lost_connection_is_not_an_end(upstream: ScriptedUpstream, strict: AsyncOpenAI, fault: str) -> None:
    faulty: dict[str, Any] = {fault: 3000}
    upstream.reply(Reply(text=("word ",) * 10, **faulty))
    events: list[ResponseStreamEvent] = []
    with pytest.raises((httpx.TransportError, openai.APIConnectionError)):
        await read(strict, events)
    assert 0 < len(text_of(events)) < 10


@pytest.mark.parametrize(("field", "value"), [("input", []), ("input", None), ("model", None)])
async def test_a_bad_request_takes_no_reply(
    upstream: ScriptedUpstream, strict: AsyncOpenAI, field: str, value: Any
) -> None:
    upstream.say("kept")
    with pytest.raises(openai.BadRequestError, match=field):
        await strict.responses.create(**ASK | {field: value})
    assert (await strict.responses.create(model="m", input=[{"role": "user", "content": "Hi"}])).output_text == "kept"

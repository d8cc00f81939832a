"""Anthropic's own client is the judge of what the scripted upstream says as Messages."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import product
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import Message, RawMessageStreamEvent, TextBlock, ThinkingBlock, ToolUseBlock

from tokenwire.testing import ONE_WRITE, Reply, ScriptedUpstream, ToolCall

pytestmark = pytest.mark.anyio

ASK: Any = {"model": "m-0", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
WEATHER = ToolCall("toolu_1", "weather", ('{"city":', ' "Köln"}'))
CLOCK = ToolCall("toolu_2", "clock")
ANSWER = Reply(
    reasoning=("so", " so"),
    signature="c2lnbmVk",
    text=("Grüß", " dich, ", "👋🏽 \u2028", "\n\n"),
    tool_calls=(WEATHER, CLOCK),
    finish_reason="tool_calls",
    prompt_tokens=20,
    cached_tokens=12,
)
BLOCKS = [
    ThinkingBlock(type="thinking", thinking="so so", signature="c2lnbmVk"),
    TextBlock(type="text", text="".join(ANSWER.text)),
    ToolUseBlock(type="tool_use", id="toolu_1", name="weather", input={"city": "Köln"}),
    ToolUseBlock(type="tool_use", id="toolu_2", name="clock", input={}),
]


@pytest.fixture
async def claude(upstream: ScriptedUpstream) -> AsyncIterator[AsyncAnthropic]:
    options: dict[str, Any] = {"max_retries": 0, "timeout": 10, "_strict_response_validation": True}
    async with AsyncAnthropic(base_url=upstream.origin, api_key="sk-test", **options) as client:
        yield client


async def raw(claude: AsyncAnthropic) -> list[RawMessageStreamEvent]:
    """All events of one streamed answer."""
    async with await claude.messages.create(**ASK, stream=True) as events:
        return [event async for event in events]


async def streamed(claude: AsyncAnthropic) -> Message:
    """What the client makes of one streamed answer."""
    async with claude.messages.stream(**ASK) as answer:
        message = await answer.get_final_message()
        # the stream's own blocks are of other classes with the same fields
        return Message.model_validate(message.to_dict())


async def read(claude: AsyncAnthropic, text: list[str]) -> None:
    """Reads one streamed answer, and keeps its text as far as it comes."""
    async with await claude.messages.create(**ASK, stream=True) as events:
        async for event in events:
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                text.append(event.delta.text)


async def test_a_stream_is_put_together_to_what_was_scripted(
    upstream: ScriptedUpstream, claude: AsyncAnthropic
) -> None:
    upstream.reply(ANSWER)
    message = await streamed(claude)
    assert message.content == BLOCKS
    assert (message.model, message.role, message.stop_reason) == ("m-0", "assistant", "tool_use")
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (8, 12)
    assert message.usage.output_tokens == ANSWER.deltas == 8


async def test_a_whole_answer_is_the_same_message(upstream: ScriptedUpstream, claude: AsyncAnthropic) -> None:
    upstream.reply(replace(ANSWER, model="m-1"))
    message = await claude.messages.create(**ASK)
    assert message.content == BLOCKS
    assert (message.model, message.role, message.stop_reason) == ("m-1", "assistant", "tool_use")
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (8, 12)
    assert message.usage.output_tokens == 8


async def test_the_events_are_those_of_the_service(upstream: ScriptedUpstream, claude: AsyncAnthropic) -> None:
    upstream.reply(ANSWER)
    kinds: list[str] = []
    for event in await raw(claude):
        kinds.append(event.type if event.type != "content_block_delta" else event.delta.type)
    start, stop = ["content_block_start"], ["content_block_stop"]
    assert kinds == [
        "message_start",
        *[*start, "thinking_delta", "thinking_delta", "signature_delta", *stop],
        *[*start, *["text_delta"] * 4, *stop],
        *[*start, "input_json_delta", "input_json_delta", *stop],
        *[*start, *stop],
        "message_delta",
        "message_stop",
    ]


async def test_usage_stands_at_both_ends(upstream: ScriptedUpstream, claude: AsyncAnthropic) -> None:
    upstream.reply(Reply(text=("a", "b", "c"), prompt_tokens=5))
    first, *_, last, _ = await raw(claude)
    assert first.type == "message_start"
    assert first.message.stop_reason is None
    assert (first.message.usage.input_tokens, first.message.usage.output_tokens) == (5, 1)
    assert last.type == "message_delta"
    assert (last.usage.input_tokens, last.usage.output_tokens) == (5, 3)
    assert last.usage.cache_read_input_tokens is None


async def test_a_signature_can_be_all_there_is_of_a_thought(upstream: ScriptedUpstream, claude: AsyncAnthropic) -> None:
    upstream.reply(*[Reply(text=("a",), signature="c2lnbmVk")] * 2)
    for message in (await streamed(claude), await claude.messages.create(**ASK)):
        assert message.content[0] == ThinkingBlock(type="thinking", thinking="", signature="c2lnbmVk")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("tool_calls", "tool_use"),
        ("pause_turn", "pause_turn"),
    ],
)
async def test_a_finish_reason_is_translated(
    upstream: ScriptedUpstream, claude: AsyncAnthropic, reason: str, said: str
) -> None:
    upstream.reply(*[Reply(text=("a",), finish_reason=reason)] * 2)
    for message in (await streamed(claude), await claude.messages.create(**ASK)):
        assert message.stop_reason == said
        assert (message.stop_details is not None) == (said == "refusal")


async def test_a_stream_can_lack_its_end(upstream: ScriptedUpstream, claude: AsyncAnthropic) -> None:
    upstream.reply(Reply(text=("a",), done=False), Reply(text=("a",), done=False, finish_reason=None))
    assert (await raw(claude))[-1].type == "message_delta"
    assert (await raw(claude))[-1].type == "content_block_stop"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("write_sizes", [None, ONE_WRITE, (1,), (7, 1, 64)], ids=str)
async def test_the_way_it_is_sent_changes_nothing(
    upstream: ScriptedUpstream, claude: AsyncAnthropic, line_end: Any, write_sizes: Any
) -> None:
    sent = replace(ANSWER, line_end=line_end, write_sizes=write_sizes)
    framings: tuple[Any, ...] = ("chunked", "length", "close")
    variants = [replace(sent, comments=c, framing=framing) for c, framing in product((False, True), framings)]
    upstream.reply(*variants)
    for _ in variants:
        message = await streamed(claude)
        assert message.content == BLOCKS
    assert all(request.sent == ANSWER.deltas for request in upstream.requests)


async def test_what_belongs_to_a_delta_goes_with_it(upstream: ScriptedUpstream, claude: AsyncAnthropic) -> None:
    upstream.reply(replace(ANSWER, text=("a",), tool_calls=(), hold=True))
    async with await claude.messages.create(**ASK, stream=True) as events:
        request = await upstream.received()
        assert (await anext(events)).type == "message_start"
        for thought in ANSWER.reasoning:
            await request.step()
            event = await anext(events)
            if event.type == "content_block_start":
                event = await anext(events)
            assert event.type == "content_block_delta"
            assert event.delta.to_dict() == {"type": "thinking_delta", "thinking": thought}
        await request.step()
        kinds = [(await anext(events)).type for _ in range(4)]
        assert kinds == ["content_block_delta", "content_block_stop", "content_block_start", "content_block_delta"]
        assert not request.finished
        request.release()
        kinds = [event.type async for event in events]
        assert kinds == ["content_block_stop", "message_delta", "message_stop"]


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (403, anthropic.PermissionDeniedError, "permission_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (413, anthropic.APIStatusError, "request_too_large"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.APIStatusError, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_raises_the_error_of_its_status(
    upstream: ScriptedUpstream,
    claude: AsyncAnthropic,
    status: int,
    error: type[anthropic.APIStatusError],
    kind: str,
    stream: bool,
) -> None:
    upstream.reply(Reply(status=status, headers={"Retry-After": "3"}))
    with pytest.raises(error, match=f"Scripted refusal {status}") as refused:
        await claude.messages.create(**ASK, stream=stream)
    assert refused.value.status_code == status
    assert refused.value.response.headers["retry-after"] == "3"
    assert isinstance(refused.value.body, dict)
    assert refused.value.body["type"] == "error"
    assert refused.value.body["error"]["type"] == kind


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
async def test_an_error_in_the_stream_follows_so_many_deltas(
    upstream: ScriptedUpstream, claude: AsyncAnthropic, after: int
) -> None:
    error = {"type": "overloaded_error", "message": "Overloaded"}
    upstream.reply(Reply(text=("a", "b", "c"), error_after=after, error=error))
    seen: list[str] = []
    with pytest.raises(anthropic.APIStatusError, match="Overloaded") as failed:
        await read(claude, seen)
    assert seen == ["a", "b", "c"][:after]
    assert failed.value.body == {"type": "error", "error": error}


async def test_a_whole_answer_fails_as_a_stream(upstream: ScriptedUpstream, claude: AsyncAnthropic) -> None:
    upstream.reply(Reply(text=("a", "b"), error_after=1))
    with pytest.raises(anthropic.InternalServerError, match="The model failed"):
        await claude.messages.create(**ASK)


async def test_a_lost_head_is_a_connection_error(upstream: ScriptedUpstream, claude: AsyncAnthropic) -> None:
    upstream.reply(Reply(text=("a",), cut_at=20))
    with pytest.raises(anthropic.APIConnectionError):
        await streamed(claude)


@pytest.mark.parametrize("fault", ["cut_at", "reset_at"])
async def test_a_lost_connection_is_not_an_end(upstream: ScriptedUpstream, claude: AsyncAnthropic, fault: str) -> None:
    faulty: dict[str, Any] = {fault: 900}
    upstream.reply(Reply(text=("word ",) * 10, **faulty))
    seen: list[str] = []
    with pytest.raises((httpx.TransportError, anthropic.APIConnectionError)):
        await read(claude, seen)
    assert 0 < len(seen) < 10


@pytest.mark.parametrize(("field", "value"), [("messages", []), ("max_tokens", None), ("model", None)])
async def test_a_bad_request_takes_no_reply(
    upstream: ScriptedUpstream, claude: AsyncAnthropic, field: str, value: Any
) -> None:
    upstream.say("kept")
    with pytest.raises(anthropic.BadRequestError, match=field):
        await claude.messages.create(**ASK | {field: value})
    assert (await streamed(claude)).content == [TextBlock(type="text", text="kept")]

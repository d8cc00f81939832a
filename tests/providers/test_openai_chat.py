"""OpenAI's chat completions: what is asked, what a refusal means, and what a stream says however it arrives."""

import json
import re
from typing import Any

import msgspec
import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from tokenwire import events
from tokenwire.errors import Code, UpstreamFailure
from tokenwire.messages import Media, Message, Part, Reasoning, Text, ToolCall, message
from tokenwire.providers.base import Answer, HttpCall, Prompt, Quirks, Target
from tokenwire.providers.openai_chat import OpenAIChat
from tokenwire.providers.transport import Transport
from tokenwire.secret import Secret
from tokenwire.testing import Reply, ScriptedUpstream
from tokenwire.testing import ToolCall as ScriptedCall

from .calls import Heard
from .sdk_types import as_typed
from .transcripts import TRANSCRIPTS, Call, Said, assert_well_formed, read

TARGET = Target(name="smart", provider="openai", model="gpt-4o-mini", base_url="https://api.example/v1")
KEY = "sk-do-not-show-me"

every_transcript = pytest.mark.parametrize(
    "name", [name for name, it in TRANSCRIPTS.items() if it.api == "openai-chat"]
)


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **fields: Any) -> bytes:
    body = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}], **fields}
    return event(json.dumps(body))


def event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()


@every_transcript
def test_an_answer_is_decided_as_soon_as_its_end_was_said(name: str) -> None:
    body = TRANSCRIPTS[name].body
    decided = place_of_decision(body)
    if decided is not None:
        assert read([body[:decided]]).outcome is not Code.upstream_truncated
        assert read([body[: decided - 1]]).outcome is Code.upstream_truncated
    else:
        assert read([body]).outcome is Code.upstream_truncated


def place_of_decision(body: bytes) -> int | None:
    """How many bytes it takes until a finish reason, an error or ``[DONE]`` was said."""
    for block in re.finditer(rb"(?:data:.*\r?\n)+", body):
        data = re.sub(rb"(?m)^data: ?", b"", block[0]).strip()
        value = {} if data == b"[DONE]" else json.loads(data)
        if (
            data == b"[DONE]"
            or "error" in (*value, value.get("object"))
            or any(choice["finish_reason"] for choice in value["choices"])
        ):
            return block.start() + len(block[0].rstrip())
    return None


def test_text_that_arrives_together_is_one_delta() -> None:
    parser = OpenAIChat().parser("m")
    body = chunk({"content": "Hel"}) + chunk({"content": "lo"}) + chunk({"content": "!"})
    assert parser.feed(body) == [events.TextMessageStart("m", "assistant"), events.TextMessageContent("m", "Hello!")]
    assert parser.feed(chunk({"content": " "})) == [events.TextMessageContent("m", " ")]


def test_reasoning_belongs_inside_its_message_before_the_text() -> None:
    begun, thinking, *happened = read([TRANSCRIPTS["openai-chat/vllm-reasoning"].body]).happened
    assert begun == events.TextMessageStart("m", "assistant")
    assert isinstance(thinking, events.ReasoningStart)
    span = thinking.message_id
    assert span != "m"
    assert happened == [
        events.ReasoningMessageStart(span, "reasoning"),
        events.ReasoningMessageContent(span, "\nThe user asks the time."),
        events.ReasoningMessageEnd(span),
        events.ReasoningEnd(span),
        events.TextMessageContent("m", "\n\nNoon."),
        events.TextMessageEnd("m"),
    ]


def test_text_after_more_reasoning_is_a_message_of_its_own() -> None:
    # under one id both TanStack clients show the text before the reasoning once more after it
    kinds = (events.TextMessageContent, events.ReasoningMessageContent)
    said = [
        event for event in read([TRANSCRIPTS["openai-chat/reasoning-again"].body]).happened if isinstance(event, kinds)
    ]
    assert [event.delta for event in said] == ["First.", "One, ", "Next.", "two"]
    assert len({event.message_id for event in said}) == 4


def test_after_the_outcome_nothing_is_said() -> None:
    parser = OpenAIChat().parser("m")
    parser.feed(chunk({"content": "Hi"}, "stop") + event("[DONE]"))
    outcome = parser.outcome
    assert outcome == Answer("stop", None)
    assert parser.feed(chunk({"content": " more"}) + event('{"error":{}}')) == []
    assert parser.close() == []
    assert parser.outcome is outcome


def test_what_was_said_before_a_failure_is_given_out() -> None:
    parser = OpenAIChat().parser("m")
    assert parser.feed(chunk({"content": "Hi"}) + event("nonsense")) == [
        events.TextMessageStart("m", "assistant"),
        events.TextMessageContent("m", "Hi"),
    ]
    assert isinstance(parser.outcome, UpstreamFailure)
    assert parser.close() == [events.TextMessageEnd("m")]
    assert parser.close() == []


def test_what_is_open_is_closed_once_when_nobody_reads_on() -> None:
    parser = OpenAIChat().parser("m")
    happened = parser.feed(chunk({"reasoning": "hm"}))
    assert_well_formed([*happened, *parser.close()])
    assert parser.close() == []


NO_JSON = ["nonsense", "{", "[" * 100_000, '{"x":' * 100_000]
NO_CHUNK = ["[]", "null", "5", '"hi"', '{"choices":{}}', '{"choices":[5]}', '{"choices":[{"delta":{"content":5}}]}']


@pytest.mark.parametrize("data", [*NO_JSON, *NO_CHUNK])
def test_what_is_no_chunk_is_malformed(data: str) -> None:
    assert read([event(data), chunk({"content": "unread"}, "stop")]).said == Said("", Code.upstream_malformed)


def test_an_event_without_end_is_malformed() -> None:
    parser = OpenAIChat().parser("m")
    for _ in range(10):
        parser.feed(b"data: " + b"x" * 1_000_000)
    assert isinstance(parser.outcome, UpstreamFailure)
    assert parser.outcome.code is Code.upstream_malformed


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"message": "no", "code": 502}, Code.upstream_unavailable),
        ({"message": "no", "code": 429}, Code.upstream_rate_limited),
        ({"message": "no", "code": "rate_limit_exceeded"}, Code.upstream_rate_limited),
        ({"message": "no", "type": "rate_limit_error"}, Code.upstream_rate_limited),
        ({}, Code.upstream_error),
        ("overloaded", Code.upstream_overloaded),
        ([], Code.upstream_error),
    ],
)
def test_an_error_in_the_stream_is_never_a_finished_answer(error: Any, code: Code) -> None:
    body = chunk({"content": "Hi"}, "stop") + event(json.dumps({"error": error})) + event("[DONE]")
    assert read([body]).said == Said("Hi", code)


@pytest.mark.parametrize("body", [event("nonsense"), b"data: " + b"x" * 9_000_000])
def test_the_outcome_is_set_once(body: bytes) -> None:
    parser = OpenAIChat().parser("m")
    parser.feed(body)
    parser.feed(b"x")
    outcome = parser.outcome
    assert isinstance(outcome, UpstreamFailure)
    parser.end()
    assert parser.outcome is outcome


@pytest.mark.parametrize("body", ['{"error":%s}', '{"error":{"code":%s}}'])
def test_an_error_nested_to_the_limit_is_an_error(body: str) -> None:
    for depth in range(500, 1000):
        assert isinstance(read([event(body % f"{'[' * depth}1{']' * depth}")]).outcome, Code)


@pytest.mark.parametrize("field", [b"type", b"code"])
def test_an_error_in_no_known_encoding_is_an_error(field: bytes) -> None:
    body = b'data: {"error":{"message":"\x80","%b":"\x80"}}\n\n' % field
    assert read([body]).said == Said("", Code.upstream_error)


def asked(*messages: Message, target: Target = TARGET, **options: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(OpenAIChat().build(target, Prompt(messages=messages, **options)).body)
    return body


def test_a_call_is_one_post() -> None:
    call = OpenAIChat().build(TARGET, Prompt(messages=(message("user", "hi"),)))
    assert (call.method, call.url) == ("POST", "https://api.example/v1/chat/completions")
    assert call.headers == {"content-type": "application/json", "accept": "text/event-stream"}
    assert json.loads(call.body) == {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_what_the_policy_decided_is_asked_and_nothing_else() -> None:
    body = asked(message("user", "hi"), temperature=0.0, max_tokens=5)
    assert (body["temperature"], body["max_tokens"]) == (0.0, 5)
    target = Target(name="n", provider="p", model="m", base_url="http://x", temperature=1.0, max_tokens=9)
    assert not {"temperature", "max_tokens"} & asked(message("user", "hi"), target=target).keys()


def test_the_key_is_a_header_and_nothing_else() -> None:
    target = Target(name="n", provider="p", model="m", base_url="http://x", key=Secret(KEY))
    prompt = Prompt(messages=(message("user", "hi"),))
    call = OpenAIChat().build(target, prompt)
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in call.url
    assert KEY.encode() not in call.body
    assert KEY not in repr((target, prompt))


def test_a_call_does_not_show_the_key() -> None:
    target = Target(name="n", provider="p", model="m", base_url="http://x", key=Secret(KEY))
    assert KEY not in repr(OpenAIChat().build(target, Prompt(messages=(message("user", "hi"),))))


def test_tool_calls_and_their_answers() -> None:
    calls = (ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", "{}"))
    functions = [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]
    told = Message("tool", (Text("42"),), tool_call_id="c1")
    body = asked(Message("assistant", (Text("let me"),), calls), told, Message("assistant", (), calls))
    assert body["messages"] == [
        {"role": "assistant", "content": "let me", "tool_calls": functions},
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
        {"role": "assistant", "content": None, "tool_calls": functions},
    ]


@pytest.mark.parametrize(
    ("part", "shape"),
    [
        (Media("image", url="https://x/a.png"), {"type": "image_url", "image_url": {"url": "https://x/a.png"}}),
        (
            Media("image", data="AA==", mime_type="image/webp", detail="low"),
            {"type": "image_url", "image_url": {"url": "data:image/webp;base64,AA==", "detail": "low"}},
        ),
        (Media("image", data="AA=="), {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}),
        (
            Media("audio", data="AA==", mime_type="audio/mpeg"),
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
        ),
        (
            Media("audio", url="data:audio/mpeg;base64,AA=="),
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
        ),
        (Media("audio", data="AA=="), {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}),
        (
            Media("document", data="AA==", mime_type="application/pdf"),
            {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,AA=="}},
        ),
        (
            Media("document", data="AA==", mime_type="text/plain; charset=utf-8"),
            {
                "type": "file",
                "file": {"filename": "document.txt", "file_data": "data:text/plain; charset=utf-8;base64,AA=="},
            },
        ),
    ],
)
def test_media_have_the_shapes_of_this_api(part: Part, shape: dict[str, Any]) -> None:
    (row,) = asked(Message("user", (Text("see"), part)))["messages"]
    assert row == {"role": "user", "content": [{"type": "text", "text": "see"}, shape]}


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (Media("audio", url="https://x/a.mp3"), "This model takes audio as data, not by address."),
        (Media("document", url="https://x/a.pdf"), "This model takes documents as data, not by address."),
        (Media("video", data="AA=="), "This model does not take video."),
    ],
)
def test_what_this_api_has_no_shape_for_is_refused(part: Part, told: str) -> None:
    with pytest.raises(UpstreamFailure) as refused:
        asked(Message("user", (Text("see"), part)))
    assert (refused.value.code, refused.value.message) == (Code.unsupported_content, told)


def test_reasoning_is_not_sent_back() -> None:
    thought = Reasoning("hm", "openai-chat:x")
    body = asked(Message("assistant", (thought, Text("Noon."))), Message("assistant", (thought,)))
    assert body["messages"] == [{"role": "assistant", "content": "Noon."}]


def asked_with(quirks: Quirks, **options: Any) -> tuple[HttpCall, dict[str, Any]]:
    target = Target(name="n", provider="p", model="m", base_url="http://x/v1", quirks=quirks, **options)
    call = OpenAIChat().build(target, Prompt(messages=(message("user", "hi"),), max_tokens=5))
    return call, json.loads(call.body)


@pytest.mark.parametrize(
    ("field", "effort", "sent"),
    [
        ("reasoning_effort", "low", {"reasoning_effort": "low"}),
        ("reasoning_effort", "off", {"reasoning_effort": "none"}),
        ("reasoning_effort", None, {}),
        ("reasoning", "high", {"reasoning": {"effort": "high"}}),
        ("reasoning", "off", {"reasoning": {"effort": "none"}}),
        ("none", "high", {}),
    ],
)
def test_how_much_to_think(field: Any, effort: Any, sent: dict[str, Any]) -> None:
    _, body = asked_with(Quirks(reasoning_field=field), reasoning=effort)
    assert {name: value for name, value in body.items() if name.startswith("reasoning")} == sent


def test_the_name_of_a_limit_is_a_quirk() -> None:
    _, body = asked_with(Quirks(max_tokens_field="max_completion_tokens"))
    assert body["max_completion_tokens"] == 5
    assert "max_tokens" not in body


def test_usage_is_not_asked_for_where_that_is_unknown() -> None:
    assert "stream_options" not in asked_with(Quirks(stream_options=False))[1]


def test_an_address_and_a_header_of_its_own() -> None:
    quirks = Quirks(key_header="api-key", path="/chat", query="api-version=1")
    call, _ = asked_with(quirks, key=Secret(KEY))
    assert call.url == "http://x/v1/chat?api-version=1"
    assert call.headers["api-key"] == KEY
    assert "authorization" not in call.headers


def test_the_operators_own_fields_win() -> None:
    _, body = asked_with(Quirks(), params={"max_tokens": 7, "seed": 1})
    assert (body["max_tokens"], body["seed"]) == (7, 1)


def test_a_message_of_which_nothing_is_sent_is_left_out() -> None:
    assert asked(message("user", "hi"), Message("assistant", ()))["messages"] == [{"role": "user", "content": "hi"}]


def test_the_sdk_knows_every_shape_that_is_sent() -> None:
    calls = (ToolCall("c1", "f", '{"a":1}'),)
    quirks = Quirks(max_tokens_field="max_completion_tokens", reasoning_field="reasoning_effort")
    target = msgspec.structs.replace(TARGET, quirks=quirks, reasoning="low")
    body = asked(
        message("system", "Be brief."),
        Message(
            "user",
            (
                Text("see"),
                Media("image", url="https://x/a.png", detail="low"),
                Media("audio", data="AA==", mime_type="audio/mpeg"),
                Media("document", data="AA==", mime_type="application/pdf"),
            ),
        ),
        Message("assistant", (), calls),
        Message("tool", (Text("42"),), tool_call_id="c1"),
        message("assistant", "Noon."),
        target=target,
        temperature=0.5,
        max_tokens=9,
    )
    assert as_typed(CompletionCreateParamsStreaming, body) == body


async def heard(transport: Transport, upstream: ScriptedUpstream, reply: Reply) -> Said | UpstreamFailure:
    """What comes of one question over HTTP."""
    upstream.reply(reply)
    sink = Heard()
    target = msgspec.structs.replace(TARGET, base_url=upstream.base_url, quirks=Quirks())
    transport.send(OpenAIChat().build(target, Prompt(messages=(message("user", "hi"),))), sink)
    await sink.over()
    if sink.status != 200:
        return OpenAIChat().refusal(sink.status, sink.headers, sink.content)
    return read([sink.content]).said


@pytest.mark.anyio
async def test_an_answer_over_http(transport: Transport, upstream: ScriptedUpstream) -> None:
    calls = (
        ScriptedCall("call_a", "get_weather", ('{"city":', '"Paris"}')),
        ScriptedCall("call_b", "get_time", ("{}",)),
    )
    reply = Reply(
        reasoning=("Easy", "."), text=("No", "on."), tool_calls=calls, finish_reason="tool_calls", cached_tokens=4
    )
    said = await heard(transport, upstream, reply)
    assert isinstance(said, Said)
    assert (said.text, said.reasoning) == ("Noon.", "Easy.")
    assert said.calls == (Call("call_a", "get_weather", '{"city":"Paris"}'), Call("call_b", "get_time", "{}"))
    assert isinstance(said.outcome, Answer)
    assert (said.outcome.reason, said.outcome.usage and said.outcome.usage.cached_tokens) == ("tool_calls", 4)


@pytest.mark.anyio
async def test_failures_over_http(transport: Transport, upstream: ScriptedUpstream) -> None:
    assert await heard(transport, upstream, Reply(text=("a", "b"), error_after=1)) == Said("a", Code.upstream_error)
    silent = Reply(text=("a", "b"), finish_reason=None, done=False)
    assert await heard(transport, upstream, silent) == Said("ab", Code.upstream_truncated)
    refused = await heard(transport, upstream, Reply(status=429))
    assert isinstance(refused, UpstreamFailure)
    assert refused.code is Code.upstream_rate_limited

"""OpenAI's chat completions: what is asked, what a refusal means, and what a stream says however it arrives."""

import email.utils
import json
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire import events
from tokenwire.errors import Code, UpstreamFailure
from tokenwire.messages import Media, Message, Part, Text, ToolCall, message
from tokenwire.providers.base import Answer, Prompt, Target
from tokenwire.providers.openai_chat import OpenAIChat
from tokenwire.secret import Secret

from .transcripts import SAID, Said, assert_well_formed, read, transcript

TARGET = Target(name="smart", provider="openai", model="gpt-4o-mini", base_url="https://api.example/v1")
KEY = "sk-do-not-show-me"

every_transcript = pytest.mark.parametrize("name", SAID)


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **fields: Any) -> bytes:
    body = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}], **fields}
    return event(json.dumps(body))


def event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()


@every_transcript
def test_a_transcript_says_what_it_says(name: str) -> None:
    assert read([transcript(name)]).said == SAID[name]


@every_transcript
def test_a_cut_at_any_byte_changes_nothing(name: str) -> None:
    body = transcript(name)
    whole = read([body])
    for place in range(len(body)):
        assert read([body[:place], body[place:]]) == whole


@every_transcript
def test_bytes_one_by_one_change_nothing(name: str) -> None:
    body = transcript(name)
    assert read(body[i : i + 1] for i in range(len(body))) == read([body])


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(list(SAID)), st.lists(st.integers(0, 3000), max_size=20))
def test_any_cuts_change_nothing(name: str, places: list[int]) -> None:
    body = transcript(name)
    ends = sorted({min(place, len(body)) for place in places} | {len(body)})
    pieces = [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert read(pieces) == read([body])


@every_transcript
def test_a_body_that_breaks_off_is_truncated_unless_the_end_was_said(name: str) -> None:
    body, said = transcript(name), SAID[name]
    decided = place_of_decision(body)
    for length in range(len(body)):
        got = read([body[:length]]).said
        assert said.text.startswith(got.text)
        assert said.reasoning.startswith(got.reasoning)
        if decided is None or length < decided:
            assert got.outcome is Code.upstream_truncated
        elif isinstance(said.outcome, Answer):
            assert isinstance(got.outcome, Answer)
            assert (got.text, got.reasoning) == (said.text, said.reasoning)
            assert got.outcome.reason == said.outcome.reason
            assert got.outcome.usage in (None, said.outcome.usage)
        else:
            assert got.outcome is said.outcome


def place_of_decision(body: bytes) -> int | None:
    """How many bytes it takes until a finish reason, an error or ``[DONE]`` was said."""
    for block in re.finditer(rb"(?:data:.*\r?\n)+", body):
        data = re.sub(rb"(?m)^data: ?", b"", block[0]).strip()
        value = {} if data == b"[DONE]" else json.loads(data)
        if data == b"[DONE]" or "error" in value or any(choice["finish_reason"] for choice in value["choices"]):
            return block.start() + len(block[0].rstrip())
    return None


@st.composite
def corrupted(draw: st.DrawFn) -> bytes:
    """A transcript with some bytes other ones, lost or added."""
    body = bytearray(transcript(draw(st.sampled_from(list(SAID)))))
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(body)))
        body[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(body)


@settings(deadline=None, max_examples=300)
@given(corrupted(), st.integers(1, 200))
def test_a_corrupted_body_ends_in_one_outcome(body: bytes, size: int) -> None:
    read(body[i : i + size] for i in range(0, len(body), size))


def test_text_that_arrives_together_is_one_delta() -> None:
    parser = OpenAIChat().parser("m")
    body = chunk({"content": "Hel"}) + chunk({"content": "lo"}) + chunk({"content": "!"})
    assert parser.feed(body) == [events.TextMessageStart("m", "assistant"), events.TextMessageContent("m", "Hello!")]
    assert parser.feed(chunk({"content": " "})) == [events.TextMessageContent("m", " ")]


def test_reasoning_belongs_inside_its_message_before_the_text() -> None:
    begun, thinking, *happened = read([transcript("vllm-reasoning")]).happened
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
    said = [event for event in read([transcript("reasoning-again")]).happened if isinstance(event, kinds)]
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


def test_an_error_object_is_an_error() -> None:
    assert read([transcript("vllm-old-error")]).said == Said("Noo", Code.upstream_error)


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
        (Media("audio", data="AA=="), {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}),
        (
            Media("document", data="AA==", mime_type="application/pdf"),
            {"type": "file", "file": {"filename": "document", "file_data": "data:application/pdf;base64,AA=="}},
        ),
        (Media("audio", url="https://x/a.mp3"), None),
        (Media("document", url="https://x/a.pdf"), None),
        (Media("video", data="AA=="), None),
    ],
)
def test_media_have_the_shapes_of_this_api(part: Part, shape: dict[str, Any] | None) -> None:
    (row,) = asked(Message("user", (Text("see"), part)))["messages"]
    assert row == {"role": "user", "content": [{"type": "text", "text": "see"}, *([shape] if shape else [])]}


def test_a_message_of_which_nothing_can_be_sent_is_left_out() -> None:
    body = asked(message("user", "hi"), Message("user", (Media("video", url="https://x/a.mp4"),)))
    assert body["messages"] == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Code.upstream_rejected),
        (401, Code.upstream_auth),
        (403, Code.upstream_auth),
        (404, Code.upstream_error),
        (408, Code.upstream_timeout),
        (413, Code.upstream_rejected),
        (422, Code.upstream_rejected),
        (429, Code.upstream_rate_limited),
        (302, Code.upstream_error),
        (500, Code.upstream_error),
        (502, Code.upstream_unavailable),
        (503, Code.upstream_unavailable),
        (504, Code.upstream_timeout),
        (529, Code.upstream_overloaded),
    ],
)
def test_a_status_is_a_code_and_the_body_is_for_the_log_only(status: int, code: Code) -> None:
    body = b'{"error":{"message":"Incorrect API key provided: sk-1234"}}\xff' + b" and so on"
    failure = OpenAIChat().refusal(status, {}, body)
    assert failure.code is code
    assert "sk-1234" not in failure.message
    assert failure.detail.startswith(f"HTTP {status}: ")
    assert "sk-1234" in failure.detail


NOW = 1_800_000_000.0
DAY = 86_400


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3),
        (" 3 ", 3),
        ("0", 0),
        ("999999", DAY),
        ("-1", None),
        ("1.5", None),
        ("", None),
        ("soon", None),
        ("²", None),
        (email.utils.formatdate(NOW + 90, usegmt=True), 90),
        (email.utils.formatdate(NOW - 90, usegmt=True), 0),
        ("Fri, 32 Jan 2027 99:99:99 GMT", None),
    ],
)
def test_when_to_try_again(monkeypatch: pytest.MonkeyPatch, status: int, value: str, seconds: int | None) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    assert OpenAIChat().refusal(status, {"retry-after": value}, b"").retry_after == seconds


def test_without_a_hint_nobody_says_when_to_try_again() -> None:
    assert OpenAIChat().refusal(429, {}, b"").retry_after is None
    assert OpenAIChat().refusal(400, {"retry-after": "3"}, b"").retry_after is None


def test_a_number_without_end_is_a_day() -> None:
    assert OpenAIChat().refusal(429, {"retry-after": "9" * 5000}, b"").retry_after in (None, DAY)


def test_a_date_far_away_is_a_day() -> None:
    headers = {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}
    assert OpenAIChat().refusal(429, headers, b"").retry_after == DAY

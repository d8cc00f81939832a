"""Anthropic's Messages: what is asked, what its refusals mean, and a whole answer over HTTP."""

import base64
import json
import re
from typing import Any

import pytest
from anthropic.types.message_create_params import MessageCreateParamsStreaming

from tokenwire import events
from tokenwire.errors import Code, UpstreamFailure
from tokenwire.messages import Media, Message, Part, Reasoning, Text, ToolCall, message
from tokenwire.providers.anthropic import DEFAULT_MAX_TOKENS, Anthropic
from tokenwire.providers.base import Answer, Prompt, Quirks, Target
from tokenwire.providers.transport import Transport
from tokenwire.secret import Secret
from tokenwire.testing import Reply, ScriptedUpstream
from tokenwire.testing import ToolCall as SaidCall

from .calls import Heard
from .sdk_types import as_typed
from .transcripts import Call, read

KEY = "sk-ant-do-not-show-me"
HI = message("user", "hi")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def to(model: str = "claude-sonnet-4-5", *, base_url: str = "https://api.example", **fields: Any) -> Target:
    return Target(name="smart", provider="anthropic", api="anthropic", model=model, base_url=base_url, **fields)


def asked(*messages: Message, target: Target | None = None, **options: Any) -> dict[str, Any]:
    """The body, which the SDK's types know in every part."""
    body = json.loads(Anthropic().build(target or to(), Prompt(messages=messages, **options)).body)
    assert as_typed(MessageCreateParamsStreaming, body) == body
    return dict(body)


def turns(*messages: Message) -> list[tuple[str, Any]]:
    """The turns, with blocks of text in short."""
    return [
        (turn["role"], [block["text"] if block["type"] == "text" else block for block in turn["content"]])
        for turn in asked(*messages)["messages"]
    ]


def test_a_call_is_one_post() -> None:
    call = Anthropic().build(to(key=Secret(KEY)), Prompt(messages=(message("system", "Be brief."), HI)))
    assert (call.method, call.url) == ("POST", "https://api.example/v1/messages")
    assert call.headers == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "anthropic-version": "2023-06-01",
        "x-api-key": KEY,
    }
    assert json.loads(call.body) == {
        "model": "claude-sonnet-4-5",
        "max_tokens": DEFAULT_MAX_TOKENS,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "stream": True,
    }


@pytest.mark.parametrize("base_url", ["https://api.example/gateway", "https://api.example/gateway/v1"])
def test_an_address_may_say_which_version(base_url: str) -> None:
    call = Anthropic().build(to(base_url=base_url), Prompt(messages=(HI,)))
    assert call.url == "https://api.example/gateway/v1/messages"


def test_the_key_is_a_header_and_nothing_else() -> None:
    target = to(key=Secret(KEY), quirks=Quirks(key_header="api-key", path="/anthropic/v1/messages", query="v=1"))
    call = Anthropic().build(target, Prompt(messages=(HI,)))
    assert call.headers["api-key"] == KEY
    assert "x-api-key" not in call.headers
    assert call.url == "https://api.example/anthropic/v1/messages?v=1"
    assert KEY.encode() not in call.body
    assert KEY not in repr((target, call))
    assert not {"x-api-key", "authorization"} & Anthropic().build(to(), Prompt(messages=(HI,))).headers.keys()


def test_it_can_be_asked_with_a_bearer_token() -> None:
    target = to(key=Secret(KEY), quirks=Quirks(key_header="authorization"))
    headers = Anthropic().build(target, Prompt(messages=(HI,))).headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert "x-api-key" not in headers


def test_what_was_decided_is_asked_and_the_target_has_the_last_word() -> None:
    body = asked(HI, temperature=0.5, max_tokens=5)
    assert (body["temperature"], body["max_tokens"]) == (0.5, 5)
    params = {"temperature": 0.1, "max_tokens": 7, "metadata": {"user_id": "u"}}
    body = asked(HI, target=to(params=params), temperature=0.5, max_tokens=5)
    assert {name: body[name] for name in params} == params
    assert asked(HI, temperature=2.0)["temperature"] == 1.0


ADAPTIVE = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("model", "reasoning", "max_tokens", "fields"),
    [
        ("claude-sonnet-4-5", None, None, {}),
        ("claude-sonnet-4-5", "off", None, {}),
        ("claude-sonnet-4-5", "low", None, {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        ("claude-sonnet-4-5", "high", None, {"thinking": {"type": "enabled", "budget_tokens": 16_000}}),
        ("claude-sonnet-4-5", "high", 4000, {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        ("claude-sonnet-4-5", "high", 2000, {}),
        ("claude-opus-4-20250514", "low", None, {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        ("claude-3-7-sonnet-latest", "low", None, {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        ("kimi-k2-thinking", "medium", None, {"thinking": {"type": "enabled", "budget_tokens": 8192}}),
        ("claude-opus-4-6", "high", 100, {"thinking": ADAPTIVE, "output_config": {"effort": "high"}}),
        (
            "us.anthropic.claude-sonnet-4-6-v1:0",
            "low",
            None,
            {"thinking": ADAPTIVE, "output_config": {"effort": "low"}},
        ),
        ("claude-opus-4-8", "medium", None, {"thinking": ADAPTIVE, "output_config": {"effort": "medium"}}),
        ("claude-opus-4-8", "off", None, {}),
        ("claude-mythos-preview", "low", None, {"thinking": ADAPTIVE, "output_config": {"effort": "low"}}),
        ("claude-fable-5", "off", None, {"output_config": {"effort": "low"}}),
        ("claude-fable-5", None, None, {}),
    ],
)
def test_a_model_thinks_as_its_generation_does(
    model: str, reasoning: Any, max_tokens: int | None, fields: dict[str, Any]
) -> None:
    body = asked(HI, target=to(model, reasoning=reasoning), max_tokens=max_tokens)
    assert {name: body[name] for name in ("thinking", "output_config") if name in body} == fields
    if "budget_tokens" in body.get("thinking", {}):
        assert 1024 <= body["thinking"]["budget_tokens"] < body["max_tokens"]


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        (to(), True),
        (to("claude-opus-4-6"), True),
        (to("deepseek-chat"), True),
        (to(reasoning="low"), False),
        (to(params={"thinking": {"type": "enabled", "budget_tokens": 1024}}), False),
        (to("claude-opus-4-7"), False),
        (to("claude-sonnet-5"), False),
    ],
)
def test_no_temperature_where_it_would_be_refused(target: Target, sent: bool) -> None:
    assert ("temperature" in asked(HI, target=target, temperature=0.3)) == sent


def test_what_the_system_says_stands_apart() -> None:
    body = asked(message("system", "One. "), HI, message("system", " "), message("system", "Two."), HI)
    assert body["system"] == "One.\n\nTwo."
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}] * 2}]
    assert "system" not in asked(HI)


def test_user_and_assistant_take_turns() -> None:
    said = [message("user", "a"), message("user", "b"), message("assistant", "c"), message("assistant", "d"), HI]
    assert turns(*said) == [("user", ["a", "b"]), ("assistant", ["c", "d"]), ("user", ["hi"])]


def test_a_user_begins_and_ends() -> None:
    greeting = message("assistant", "Welcome! ")
    assert turns(greeting, HI) == [("user", ["Hello."]), ("assistant", ["Welcome! "]), ("user", ["hi"])]
    assert turns(HI, greeting) == [("user", ["hi"]), ("assistant", ["Welcome! "]), ("user", ["Continue."])]
    assert turns(message("system", "Be brief.")) == [("user", ["Hello."])]


def test_no_blank_text_is_sent() -> None:
    blank = Message("user", (Text(" \n"), Text("a"), Text("")))
    assert turns(blank, message("assistant", "\n"), HI) == [("user", ["a", "hi"])]


CALLS = (ToolCall("toolu_1", "f", '{"a": 1.50, "n": 12345678901234567890}'), ToolCall("toolu_2", "g", "{}"))


def test_calls_and_their_results() -> None:
    body = asked(
        HI,
        Message("assistant", (Text("let me"),), CALLS),
        Message("tool", (Text("42"),), tool_call_id="toolu_1"),
        Message("tool", (), tool_call_id="toolu_2"),
        message("user", "and?"),
    )
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "let me"},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "f",
                    "input": {"a": 1.5, "n": 12345678901234567890},
                },
                {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "42"}]},
                {"type": "tool_result", "tool_use_id": "toolu_2"},
                {"type": "text", "text": "and?"},
            ],
        },
    ]
    # a call of a tool that the request does not tell of is refused
    assert [tool["name"] for tool in body["tools"]] == ["f", "g"]
    assert body["tool_choice"] == {"type": "none"}


def test_the_targets_own_tools_are_the_only_ones() -> None:
    own = [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
    result = Message("tool", (Text("42"),), tool_call_id="toolu_1")
    body = asked(HI, Message("assistant", (), CALLS[:1]), result, target=to(params={"tools": own}))
    assert body["tools"] == own
    assert "tool_choice" not in body


@pytest.mark.parametrize("other", ["functions.get:0", "é", "x" * 200])
def test_ids_that_another_provider_made_are_made_acceptable(other: str) -> None:
    calls = (ToolCall(other, "f", "{}"), ToolCall(other + ".", "f", "{}"))
    results = [Message("tool", (Text("1"),), tool_call_id=call.id) for call in calls]
    _, (_, used), (_, answered) = turns(HI, Message("assistant", (), calls), *results)
    ids = [block["id"] for block in used]
    assert ids == [block["tool_use_id"] for block in answered]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call_id) for call_id in ids)


@pytest.mark.parametrize("arguments", ["5", '"text"', "[1]", "null"])
def test_arguments_that_are_no_object_are_put_into_one(arguments: str) -> None:
    result = Message("tool", (Text("1"),), tool_call_id="c")
    _, (_, (used,)), _ = turns(HI, Message("assistant", (), (ToolCall("c", "f", arguments),)), result)
    assert used["input"] == {"value": json.loads(arguments)}


def test_thinking_comes_back_before_what_came_of_it() -> None:
    content: tuple[Part, ...] = (
        Text("so"),
        Reasoning("thought", "anthropic:c2lnbmVk"),
        Reasoning("", "anthropic:aGlkZGVu"),
        Reasoning("", "anthropic:redacted:ZGF0YQ=="),
        Reasoning("of another", "gemini:c2lnbmVk"),
    )
    assert turns(HI, Message("assistant", content), HI)[1] == (
        "assistant",
        [
            {"type": "thinking", "thinking": "thought", "signature": "c2lnbmVk"},
            {"type": "thinking", "thinking": "", "signature": "aGlkZGVu"},
            {"type": "redacted_thinking", "data": "ZGF0YQ=="},
            "so",
        ],
    )


def test_thinking_that_nothing_came_of_is_left_out() -> None:
    thought = Message("assistant", (Reasoning("thought", "anthropic:c2lnbmVk"), Text(" ")))
    assert turns(HI, thought, HI) == [("user", ["hi", "hi"])]


TEXT = base64.b64encode("Grüß".encode()).decode()


@pytest.mark.parametrize(
    ("part", "shape"),
    [
        (Media("image", url="https://x/a.png"), ("image", {"type": "url", "url": "https://x/a.png"})),
        (
            Media("image", data=PIXEL, mime_type="image/webp"),
            ("image", {"type": "base64", "media_type": "image/webp", "data": PIXEL}),
        ),
        (
            Media("image", data=PIXEL, mime_type="image/jpg"),
            ("image", {"type": "base64", "media_type": "image/jpeg", "data": PIXEL}),
        ),
        (Media("image", data=PIXEL), ("image", {"type": "base64", "media_type": "image/png", "data": PIXEL})),
        (
            Media("image", url=f"data:image/gif;base64,{PIXEL}"),
            ("image", {"type": "base64", "media_type": "image/gif", "data": PIXEL}),
        ),
        (Media("document", url="https://x/a.pdf"), ("document", {"type": "url", "url": "https://x/a.pdf"})),
        (
            Media("document", data="AA=="),
            ("document", {"type": "base64", "media_type": "application/pdf", "data": "AA=="}),
        ),
        (
            Media("document", data=TEXT, mime_type="text/markdown; charset=utf-8"),
            ("document", {"type": "text", "media_type": "text/plain", "data": "Grüß"}),
        ),
    ],
)
def test_media_have_the_shapes_of_this_api(part: Part, shape: tuple[str, Any]) -> None:
    kind, source = shape
    assert turns(Message("user", (Text("see"), part))) == [("user", ["see", {"type": kind, "source": source}])]


def test_a_tool_may_give_an_image() -> None:
    result = Message("tool", (Media("image", data=PIXEL),), tool_call_id="toolu_2")
    *_, (_, (block,)) = turns(HI, Message("assistant", (), CALLS[1:]), result)
    assert [inner["type"] for inner in block["content"]] == ["image"]


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (Message("user", (Media("audio", data="AA=="),)), "audio"),
        (Message("user", (Media("video", url="https://x/a.mp4"),)), "video"),
        (Message("user", (Media("image", data="AA==", mime_type="image/svg+xml"),)), "PNG"),
        (Message("user", (Media("document", data="AA==", mime_type="application/msword"),)), "PDF"),
        (Message("user", (Media("document", data="/w==", mime_type="text/plain"),)), "UTF-8"),
        (Message("user", (Media("document", url="https://x/a.txt", mime_type="text/plain"),)), "URL"),
        (Message("user", (Media("image", url="data:image/png,raw"),)), "base64"),
        (Message("assistant", (Media("image", data=PIXEL),)), "own messages"),
        (Message("system", (Media("image", data=PIXEL),)), "system"),
    ],
)
def test_what_has_no_shape_is_refused_and_named(said: Message, word: str) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        asked(HI, said)
    assert failed.value.code is Code.unsupported_content
    assert word in failed.value.message


@pytest.mark.parametrize(
    ("status", "kind", "words", "code"),
    [
        (401, "authentication_error", "invalid x-api-key", Code.upstream_auth),
        (403, "permission_error", "Your API key does not have permission to use this resource", Code.upstream_auth),
        (404, "not_found_error", "model: claude-0", Code.upstream_unknown_model),
        (429, "rate_limit_error", "Number of request tokens has exceeded your rate limit", Code.upstream_rate_limited),
        (529, "overloaded_error", "Overloaded", Code.upstream_overloaded),
        (500, "api_error", "Internal server error", Code.upstream_error),
        (413, "request_too_large", "Request exceeds the maximum size", Code.context_too_long),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            Code.upstream_quota,
        ),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 210233 tokens > 200000 maximum",
            Code.context_too_long,
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000",
            Code.context_too_long,
        ),
        (400, "invalid_request_error", "Output blocked by content filtering policy", Code.content_filtered),
        (400, "invalid_request_error", "messages: at least one message is required", Code.upstream_rejected),
    ],
)
def test_what_a_refusal_means(status: int, kind: str, words: str, code: Code) -> None:
    error = {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}
    failure = Anthropic().refusal(status, {}, json.dumps(error).encode())
    assert failure.code is code
    assert words not in failure.message
    assert words in json.loads(failure.detail.partition(": ")[2])["error"]["message"]


def event(**fields: Any) -> bytes:
    return f"event: {fields['type']}\ndata: {json.dumps(fields)}\n\n".encode()


@pytest.mark.parametrize(("kind", "code"), [("timeout_error", Code.upstream_timeout), ("new", Code.upstream_error)])
def test_an_error_after_the_stop_reason_is_an_error_all_the_same(kind: str, code: Code) -> None:
    stopped = event(type="message_delta", delta={"stop_reason": "end_turn"})
    body = stopped + event(type="error", error={"type": kind, "message": "no"})
    assert read([body], "anthropic").outcome is code


def test_what_is_said_of_tokens_before_the_answer_is_no_count_of_it() -> None:
    begun = event(type="message_start", message={"usage": {"input_tokens": 5, "output_tokens": 1}})
    stopped = event(type="message_delta", delta={"stop_reason": "end_turn"})
    assert read([begun + stopped], "anthropic").outcome == Answer("stop", events.Usage(prompt_tokens=5))


def test_a_block_of_no_known_kind_is_passed_over() -> None:
    block = {"type": "new", "text": 5, "id": [], "name": {}}
    body = event(type="content_block_start", index=0, content_block=block)
    body += event(type="content_block_delta", index=0, delta={"type": "new_delta"})
    body += event(type="new_event", index=0) + event(type="message_stop")
    assert read([body], "anthropic").said.outcome == Answer("stop", None)


def test_a_block_ends_with_the_next_in_its_place_or_with_the_message() -> None:
    body = b"".join(
        event(type="content_block_start", index=0, content_block={"type": "tool_use", "name": "f", "input": {"a": a}})
        for a in (1, 2)
    )
    said = read([body + event(type="message_delta", delta={"stop_reason": "tool_use"})], "anthropic").said
    assert [call.arguments for call in said.calls] == ['{"a": 1}', '{"a": 2}']


async def told(transport: Transport, upstream: ScriptedUpstream, reply: Reply, *messages: Message) -> Heard:
    """What is heard of a reply to these messages."""
    upstream.reply(reply)
    target = Target(name="n", provider="p", api="anthropic", model="claude-opus-4-8", base_url=upstream.origin)
    heard = Heard()
    transport.send(Anthropic().build(target, Prompt(messages=messages)), heard)
    await heard.over()
    return heard


@pytest.mark.anyio
async def test_a_whole_answer_comes_over_http_and_goes_back(transport: Transport, upstream: ScriptedUpstream) -> None:
    calls = (SaidCall("toolu_1", "f", ('{"a":', "1}")), SaidCall("toolu_2", "g"))
    reply = Reply(
        reasoning=("Hm", "."),
        signature="c2lnbmVk",
        text=("Grüß ", "dich"),
        tool_calls=calls,
        finish_reason="tool_calls",
        prompt_tokens=20,
        cached_tokens=12,
    )
    heard = await told(transport, upstream, reply, HI)
    said = read([heard.content], "anthropic").said
    assert said._replace(outcome=Code.internal) == (
        "Grüß dich",
        Code.internal,
        "Hm.",
        ("anthropic:c2lnbmVk",),
        (Call("toolu_1", "f", '{"a":1}'), Call("toolu_2", "g", "{}")),
    )
    assert said.outcome == Answer("tool_calls", events.Usage(20, 6, 26, cached_tokens=12, cache_write_tokens=0))

    content = (Reasoning(said.reasoning, said.signatures[0]), Text(said.text))
    own = Message("assistant", content, tuple(ToolCall(call.id, call.name, call.arguments) for call in said.calls))
    results = [Message("tool", (Text("1"),), tool_call_id=call.id) for call in said.calls]
    await told(transport, upstream, Reply(text=("ok",)), HI, own, *results)
    assert [block["type"] for block in upstream.requests[-1].body["messages"][1]["content"]] == [
        "thinking",
        "text",
        "tool_use",
        "tool_use",
    ]
    assert upstream.requests[-1].body["messages"][1]["content"][0]["signature"] == "c2lnbmVk"


@pytest.mark.anyio
async def test_failures_come_over_http(transport: Transport, upstream: ScriptedUpstream) -> None:
    refused = await told(transport, upstream, Reply(status=529), HI)
    assert Anthropic().refusal(refused.status, refused.headers, refused.content).code is Code.upstream_overloaded
    error = {"type": "overloaded_error", "message": "Overloaded"}
    heard = await told(transport, upstream, Reply(text=("a", "b"), error_after=1, error=error), HI)
    assert read([heard.content], "anthropic").said == ("a", Code.upstream_overloaded, "", (), ())
    filtered = await told(transport, upstream, Reply(text=("a",), finish_reason="content_filter"), HI)
    outcome = read([filtered.content], "anthropic").outcome
    assert isinstance(outcome, Answer)
    assert outcome.reason == "content_filter"

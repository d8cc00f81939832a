"""OpenAI's Responses: what is asked, what its failures mean, and a whole answer over HTTP."""

import json
from typing import Any

import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

from tokenwire import events
from tokenwire.errors import Code, UpstreamFailure
from tokenwire.messages import Media, Message, Part, Reasoning, Text, ToolCall, message
from tokenwire.providers.base import Answer, Prompt, Quirks, Target
from tokenwire.providers.openai_responses import OpenAIResponses
from tokenwire.providers.transport import Transport
from tokenwire.secret import Secret
from tokenwire.testing import Reply, ScriptedUpstream
from tokenwire.testing import ToolCall as SaidCall

from .calls import Heard
from .sdk_types import as_typed
from .transcripts import TRANSCRIPTS, Call, read

KEY = "sk-do-not-show-me"
HI = message("user", "hi")


def to(**fields: Any) -> Target:
    return Target(
        name="smart",
        provider="openai-responses",
        api="openai-responses",
        model="gpt-5.2",
        base_url="https://api.example/v1",
        **fields,
    )


def asked(*messages: Message, target: Target | None = None, **options: Any) -> dict[str, Any]:
    """The body, which the SDK's types know in every part."""
    body = json.loads(OpenAIResponses().build(target or to(), Prompt(messages=messages, **options)).body)
    assert as_typed(ResponseCreateParamsStreaming, body) == body
    return dict(body)


def test_a_call_is_one_post() -> None:
    call = OpenAIResponses().build(to(key=Secret(KEY)), Prompt(messages=(message("system", "Be brief."), HI)))
    assert (call.method, call.url) == ("POST", "https://api.example/v1/responses")
    assert call.headers == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "authorization": f"Bearer {KEY}",
    }
    assert json.loads(call.body) == {
        "model": "gpt-5.2",
        "input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "stream": True,
        "store": False,
    }


def test_the_key_is_a_header_and_nothing_else() -> None:
    target = to(key=Secret(KEY), quirks=Quirks(key_header="api-key", path="/v2/responses", query="api-version=1"))
    call = OpenAIResponses().build(target, Prompt(messages=(HI,)))
    assert call.headers["api-key"] == KEY
    assert "authorization" not in call.headers
    assert call.url == "https://api.example/v1/v2/responses?api-version=1"
    assert KEY.encode() not in call.body
    assert "authorization" not in OpenAIResponses().build(to(), Prompt(messages=(HI,))).headers


def test_what_was_decided_is_asked_and_the_target_has_the_last_word() -> None:
    body = asked(HI, temperature=0.5, max_tokens=500)
    assert (body["temperature"], body["max_output_tokens"]) == (0.5, 500)
    params = {"max_output_tokens": 20, "store": True, "service_tier": "flex"}
    body = asked(HI, target=to(params=params), max_tokens=500)
    assert {name: body[name] for name in params} == params
    assert asked(HI, max_tokens=5)["max_output_tokens"] == 16  # fewer are refused


def test_a_model_that_is_to_think_is_asked_for_all_of_it() -> None:
    body = asked(HI, target=to(reasoning="low"), temperature=0.5)
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content"]
    assert "temperature" not in body
    body = asked(HI, target=to(reasoning="off"), temperature=0.5)
    assert (body["reasoning"], body["temperature"]) == ({"effort": "none"}, 0.5)
    assert "include" not in body
    assert not {"reasoning", "include"} & asked(HI).keys()


CALLS = (ToolCall("call_1", "f", '{"a": 1}'), ToolCall("call_2", "g", "{}"))


def test_calls_and_their_results() -> None:
    body = asked(
        HI,
        Message("assistant", (Text("let me"),), CALLS),
        Message("tool", (Text("42"),), tool_call_id="call_1"),
        Message("tool", (), tool_call_id="call_2"),
        message("system", "Be brief."),
    )
    assert body["input"][1:] == [
        {"role": "assistant", "content": "let me"},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a": 1}'},
        {"type": "function_call", "call_id": "call_2", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "42"},
        {"type": "function_call_output", "call_id": "call_2", "output": ""},
        {"role": "system", "content": "Be brief."},
    ]


def test_ids_that_another_provider_made_too_long_are_made_shorter() -> None:
    calls = (ToolCall("x" * 64, "f", "{}"), ToolCall("x" * 65, "f", "{}"), ToolCall("x" * 66, "f", "{}"))
    results = [Message("tool", (Text("1"),), tool_call_id=call.id) for call in calls]
    items = asked(Message("assistant", (), calls), *results)["input"]
    ids = [item["call_id"] for item in items]
    assert ids[:3] == ids[3:]
    assert ids[0] == "x" * 64
    assert len(set(ids)) == 3
    assert all(len(call_id) <= 64 for call_id in ids)


def test_reasoning_comes_back_before_what_came_of_it() -> None:
    content: tuple[Part, ...] = (
        Text("so"),
        Reasoning("thought", "openai-responses:rs_1:gAAA=="),
        Reasoning("", "openai-responses:rs_2:gBBB=="),
        Reasoning("of another", "anthropic:c2lnbmVk"),
    )
    *thoughts, said, call = asked(Message("assistant", content, CALLS[:1]))["input"]
    assert thoughts == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "thought"}],
            "encrypted_content": "gAAA==",
        },
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gBBB=="},
    ]
    assert said == {"role": "assistant", "content": "so"}
    assert call["type"] == "function_call"


def test_reasoning_that_nothing_came_of_is_left_out() -> None:
    thought = Message("assistant", (Reasoning("thought", "openai-responses:rs_1:gAAA=="),))
    assert asked(HI, thought)["input"] == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("part", "shape"),
    [
        (
            Media("image", url="https://x/a.png"),
            {"type": "input_image", "image_url": "https://x/a.png", "detail": "auto"},
        ),
        (
            Media("image", data="AA==", mime_type="image/webp", detail="low"),
            {"type": "input_image", "image_url": "data:image/webp;base64,AA==", "detail": "low"},
        ),
        (
            Media("image", data="AA=="),
            {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"},
        ),
        (Media("document", url="https://x/a.pdf"), {"type": "input_file", "file_url": "https://x/a.pdf"}),
        (
            Media("document", data="AA=="),
            {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,AA=="},
        ),
        (
            Media("document", url="data:text/plain;base64,AA=="),
            {"type": "input_file", "filename": "document.txt", "file_data": "data:text/plain;base64,AA=="},
        ),
    ],
)
def test_media_have_the_shapes_of_this_api(part: Part, shape: dict[str, Any]) -> None:
    (item,) = asked(Message("user", (Text("see"), part)))["input"]
    assert item == {"role": "user", "content": [{"type": "input_text", "text": "see"}, shape]}


def test_a_tool_may_give_an_image() -> None:
    result = Message("tool", (Media("image", data="AA=="),), tool_call_id="call_1")
    *_, output = asked(Message("assistant", (), CALLS[:1]), result)["input"]
    assert [part["type"] for part in output["output"]] == ["input_image"]


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (Message("user", (Media("audio", data="AA=="),)), "audio"),
        (Message("user", (Media("video", url="https://x/a.mp4"),)), "video"),
        (Message("assistant", (Text("see"), Media("image", data="AA=="))), "own messages"),
    ],
)
def test_what_has_no_shape_is_refused_and_named(said: Message, word: str) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        asked(HI, said)
    assert failed.value.code is Code.unsupported_content
    assert word in failed.value.message


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("server_error", Code.upstream_error),
        ("rate_limit_exceeded", Code.upstream_rate_limited),
        ("invalid_prompt", Code.content_filtered),
        ("bio_policy", Code.content_filtered),
        ("misalignment_policy_violation", Code.content_filtered),
        ("image_content_policy_violation", Code.content_filtered),
        ("invalid_image", Code.upstream_rejected),
        ("failed_to_download_image", Code.upstream_rejected),
        ("context_length_exceeded", Code.context_too_long),
        ("insufficient_quota", Code.upstream_quota),
    ],
)
def test_what_an_error_in_the_stream_means(code: str, meaning: Code) -> None:
    error = {"code": code, "message": "no"}
    for body in (
        event("response.failed", response={"status": "failed", "error": error}),
        event("error", **error, param=None),
        event("error", error={"type": "invalid_request_error", **error, "param": None}),
    ):
        assert read([body], "openai-responses").outcome is meaning


def test_a_failure_that_says_nothing_is_a_failure() -> None:
    for response in ({}, {"error": None}, {"error": 5}):
        assert read([event("response.failed", response=response)], "openai-responses").outcome is Code.upstream_error


@pytest.mark.parametrize("details", [None, {"reason": None}, {"reason": "steered"}])
def test_an_answer_that_is_incomplete_is_cut_short_whatever_the_reason(details: Any) -> None:
    body = event("response.incomplete", response={"incomplete_details": details})
    assert read([body], "openai-responses").outcome == Answer("length", None)


def test_the_parts_of_a_summary_are_one_span() -> None:
    happened = read([TRANSCRIPTS["openai-responses/reasoning"].body], "openai-responses").happened
    assert [type(event) for event in happened].count(events.ReasoningStart) == 1


def test_what_is_said_of_no_known_kind_is_passed_over() -> None:
    body = event("response.new.delta", delta={"a": 1}, arguments=[], output_index=None)
    body += event("response.output_item.added", item={"type": "new", "name": 5, "call_id": {}, "arguments": []})
    body += event("response.output_item.done", item={"type": "new", "name": 5, "call_id": {}, "arguments": []})
    body += event("response.completed", response={})
    assert read([body], "openai-responses").said == ("", Answer("stop", None), "", (), ())


async def told(transport: Transport, upstream: ScriptedUpstream, reply: Reply, *messages: Message) -> Heard:
    """What is heard of a reply to these messages."""
    upstream.reply(reply)
    target = Target(
        name="n", provider="p", api="openai-responses", model="gpt-5.2", base_url=upstream.base_url, reasoning="low"
    )
    heard = Heard()
    transport.send(OpenAIResponses().build(target, Prompt(messages=messages)), heard)
    await heard.over()
    return heard


@pytest.mark.anyio
async def test_a_whole_answer_comes_over_http_and_goes_back(transport: Transport, upstream: ScriptedUpstream) -> None:
    calls = (SaidCall("call_1", "f", ('{"a":', "1}")), SaidCall("call_2", "g"))
    reply = Reply(
        reasoning=("Hm", "."),
        signature="gAAA==",
        text=("Grüß ", "dich"),
        tool_calls=calls,
        finish_reason="tool_calls",
        prompt_tokens=20,
        cached_tokens=12,
    )
    heard = await told(transport, upstream, reply, HI)
    said = read([heard.content], "openai-responses").said
    assert said._replace(outcome=Code.internal) == (
        "Grüß dich",
        Code.internal,
        "Hm.",
        ("openai-responses:rs_000001:gAAA==",),
        (Call("call_1", "f", '{"a":1}'), Call("call_2", "g", "{}")),
    )
    assert said.outcome == Answer("tool_calls", events.Usage(20, 6, 26, 12, 2, 0))

    content = (Reasoning(said.reasoning, said.signatures[0]), Text(said.text))
    own = Message("assistant", content, tuple(ToolCall(call.id, call.name, call.arguments) for call in said.calls))
    results = [Message("tool", (Text("1"),), tool_call_id=call.id) for call in said.calls]
    await told(transport, upstream, Reply(text=("ok",)), HI, own, *results)
    _, thought, *rest = upstream.requests[-1].body["input"]
    assert (thought["id"], thought["encrypted_content"]) == ("rs_000001", "gAAA==")
    assert [item.get("type", "message") for item in rest] == [
        "message",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
    ]


@pytest.mark.anyio
async def test_failures_come_over_http(transport: Transport, upstream: ScriptedUpstream) -> None:
    refused = await told(transport, upstream, Reply(status=401), HI)
    assert OpenAIResponses().refusal(refused.status, refused.headers, refused.content).code is Code.upstream_auth
    error = {"code": "rate_limit_exceeded", "message": "Slow down"}
    heard = await told(transport, upstream, Reply(text=("a", "b"), error_after=1, error=error), HI)
    assert read([heard.content], "openai-responses").said == ("a", Code.upstream_rate_limited, "", (), ())
    cut = await told(transport, upstream, Reply(text=("a",), finish_reason="length"), HI)
    outcome = read([cut.content], "openai-responses").outcome
    assert isinstance(outcome, Answer)
    assert outcome.reason == "length"

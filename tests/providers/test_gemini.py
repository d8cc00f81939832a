"""Gemini: what is asked, what a refusal means, and what is particular in what it says."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import types

from tokenwire import events
from tokenwire.errors import Code, UpstreamFailure
from tokenwire.messages import Media, Message, Reasoning, Text, ToolCall, message
from tokenwire.providers.base import Answer, Effort, Prompt, Quirks, Target, sealed
from tokenwire.providers.gemini import Gemini
from tokenwire.providers.transport import Transport
from tokenwire.secret import Secret
from tokenwire.testing import Reply, ScriptedUpstream
from tokenwire.testing import ToolCall as SaidCall

from .calls import Heard
from .transcripts import Call, Said, read

BASE_URL = "https://gemini.example/v1beta"
TARGET = Target(name="smart", provider="gemini", api="gemini", model="gemini-3-flash-preview", base_url=BASE_URL)
PIXEL = "R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
SIGNED = "c2lnbmVk"
HI = message("user", "Hi")


def other(**fields: Any) -> Target:
    known = {name: getattr(TARGET, name) for name in TARGET.__struct_fields__}
    return Target(**known | fields)


def body(*messages: Message, target: Target = TARGET, **wishes: Any) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(Gemini().build(target, Prompt(messages=messages or (HI,), **wishes)).body)
    return asked


def seal(value: str) -> str:
    return sealed("gemini", value)


def chunk(*parts: dict[str, Any], finish: str | None = None, **fields: Any) -> bytes:
    candidate = {"content": {"parts": parts, "role": "model"}} | ({"finishReason": finish} if finish else {})
    return f"data: {json.dumps({'candidates': [candidate], **fields})}\r\n\r\n".encode()


def said(*chunks: bytes) -> Said:
    return read(chunks, "gemini").said


def test_the_question_and_where_it_goes() -> None:
    call = Gemini().build(other(key=Secret("AIza-secret")), Prompt(messages=(HI,)))
    assert (call.method, call.url) == (
        "POST",
        f"{BASE_URL}/models/gemini-3-flash-preview:streamGenerateContent?alt=sse",
    )
    assert call.headers == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "x-goog-api-key": "AIza-secret",
    }
    assert json.loads(call.body) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"base_url": "https://gemini.example"}, f"{BASE_URL}/models/gemini-3-flash-preview"),
        ({"base_url": "https://proxy.example/v1"}, "https://proxy.example/v1/models/gemini-3-flash-preview"),
        (
            {"base_url": "https://vertex.example/v1/publishers/google"},
            "https://vertex.example/v1/publishers/google/models/gemini-3-flash-preview",
        ),
        ({"model": "models/gemini-2.5-pro"}, f"{BASE_URL}/models/gemini-2.5-pro"),
        ({"model": "tunedModels/mine"}, f"{BASE_URL}/tunedModels/mine"),
        ({"model": "a?key=b#c"}, f"{BASE_URL}/models/a%3Fkey%3Db%23c"),
    ],
)
def test_the_address_of_a_model(fields: dict[str, str], url: str) -> None:
    call = Gemini().build(other(**fields), Prompt(messages=(HI,)))
    assert call.url == f"{url}:streamGenerateContent?alt=sse"


def test_quirks_are_where_a_gateway_departs() -> None:
    quirks = Quirks(key_header="x-key", path="/ask", query="a=b")
    call = Gemini().build(other(key=Secret("k"), quirks=quirks), Prompt(messages=(HI,)))
    assert call.url == f"{BASE_URL}/ask?alt=sse&a=b"
    assert call.headers["x-key"] == "k"
    assert "x-goog-api-key" not in call.headers


def test_parameters_are_the_generations_and_those_of_the_operator_win() -> None:
    assert body(temperature=0.5, max_tokens=9)["generationConfig"] == {"temperature": 0.5, "maxOutputTokens": 9}
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]
    target = other(
        params={"generationConfig": {"topK": 3, "temperature": 0, "thinkingConfig": {"thinkingBudget": -1}}}
        | {"safetySettings": safety},
        reasoning="high",
    )
    asked = body(target=target, temperature=0.5, max_tokens=9)
    thinking = {"thinkingBudget": -1}
    assert asked["generationConfig"] == {
        "temperature": 0,
        "maxOutputTokens": 9,
        "topK": 3,
        "thinkingConfig": thinking,
    }
    assert asked["safetySettings"] == safety


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        ("gemini-3-flash-preview", "low", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        ("gemini-3.1-pro-preview", "medium", {"includeThoughts": True, "thinkingLevel": "MEDIUM"}),
        ("gemini-flash-latest", "high", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        ("gemini-3-flash-preview", "off", {"thinkingLevel": "LOW"}),
        ("gemini-2.5-flash", "low", {"includeThoughts": True, "thinkingBudget": 1024}),
        ("models/gemini-2.5-pro", "high", {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-2.5-flash-lite", "off", {"thinkingBudget": 0}),
        ("gemini-2.5-pro", "off", {"thinkingBudget": 128}),
    ],
)
def test_reasoning_is_a_level_or_for_older_models_a_budget(
    model: str, effort: Effort, thinking: dict[str, Any]
) -> None:
    config = body(target=other(model=model, reasoning=effort))["generationConfig"]
    assert config == {"thinkingConfig": thinking}
    types.GenerateContentConfig.model_validate(config)


def test_calls_without_an_id_never_share_one_with_another_answer() -> None:
    calls = chunk({"functionCall": {"name": "f", "id": "x"}}, *[{"functionCall": {"name": "f", "id": "x"}}] * 2)
    ids = []
    for message_id in ("msg-1", "msg-2"):
        parser = Gemini().parser(message_id)
        ids += [it.tool_call_id for it in parser.feed(calls) if isinstance(it, events.ToolCallStart)]
    assert ids == ["x", "msg-1-call-2", "msg-1-call-3", "x", "msg-2-call-2", "msg-2-call-3"]


@pytest.mark.parametrize(
    ("finish", "outcome"),
    [
        ("STOP", Answer("stop", None)),
        ("MAX_TOKENS", Answer("length", None)),
        *[
            (reason, Answer("content_filter", None))
            for reason in (
                "SAFETY",
                "RECITATION",
                "LANGUAGE",
                "BLOCKLIST",
                "PROHIBITED_CONTENT",
                "SPII",
                "IMAGE_SAFETY",
            )
        ],
        ("MALFORMED_FUNCTION_CALL", Code.upstream_error),
        ("OTHER", Code.upstream_error),
        ("A_NEW_ONE", Code.upstream_error),
        ("FINISH_REASON_UNSPECIFIED", Code.upstream_truncated),
    ],
)
def test_finish_reasons(finish: str, outcome: Answer | Code) -> None:
    assert said(chunk({"text": "Hi"}, finish=finish)) == Said("Hi", outcome)


def test_what_comes_after_a_finish_reason_belongs_to_the_answer() -> None:
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    chunks = chunk({"text": "No"}, finish="STOP"), chunk({"text": "on."}, finish="STOP", usageMetadata=usage)
    assert said(*chunks) == Said("Noon.", Answer("stop", events.Usage(3, 2, 5)))


def test_a_blocked_prompt_is_filtered_but_an_unspecified_reason_is_none() -> None:
    assert said(b'data: {"promptFeedback":{"blockReason":"SAFETY"}}\n\n') == Said("", Code.content_filtered)
    feedback = {"blockReason": "BLOCKED_REASON_UNSPECIFIED"}
    assert said(chunk({"text": "Hi"}, finish="STOP", promptFeedback=feedback)) == Said("Hi", Answer("stop", None))


@pytest.mark.parametrize("usage", [7, "many", {"promptTokenCount": "many"}, [], None])
def test_usage_that_cannot_be_read_loses_nothing(usage: Any) -> None:
    whole = chunk({"text": "Hi"}, finish="STOP", usageMetadata=usage)
    assert said(whole) == Said("Hi", Answer("stop", None))


def test_usage_that_cannot_be_read_leaves_what_was_reported_before() -> None:
    before = chunk({"text": "Hi"}, usageMetadata={"promptTokenCount": 3})
    assert said(before, chunk(finish="STOP", usageMetadata=None)) == Said("Hi", Answer("stop", events.Usage(3)))


@pytest.fixture
async def google(upstream: ScriptedUpstream) -> AsyncIterator[genai.client.AsyncClient]:
    async with httpx.AsyncClient(timeout=10) as transport:
        options = types.HttpOptions(base_url=upstream.origin, api_version="v1beta", httpx_async_client=transport)
        yield genai.Client(api_key="test", http_options=options).aio


def in_camel_case(value: Any) -> Any:
    """The same under the names of the API's reference: it takes both, and Google's client sends both."""
    if isinstance(value, list):
        return [in_camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {re.sub("_([a-z])", lambda found: found[1].upper(), name): in_camel_case(it) for name, it in value.items()}


@pytest.mark.anyio
async def test_it_asks_as_googles_own_client_does(upstream: ScriptedUpstream, google: genai.client.AsyncClient) -> None:
    ours = (
        message("system", "Be brief."),
        Message(
            "user",
            (
                Text("What is this, and the time?"),
                Media("image", data=PIXEL, mime_type="image/gif"),
                Media("document", url="https://example.com/a.pdf", mime_type="application/pdf"),
            ),
        ),
        Message(
            "assistant",
            (Reasoning("", seal(f"this+0+3:{SIGNED}")), Text("Let me look.")),
            (ToolCall("a", "look", "{}", seal(SIGNED)), ToolCall("b", "time", '{"zone": "CET"}')),
        ),
        Message("tool", (Text("a pixel"),), tool_call_id="a"),
        Message("tool", (Text('{"hour": 12}'),), tool_call_id="b"),
        Message("assistant", (Reasoning("", seal(f"this+16+0:{SIGNED}")), Text("A pixel at noon."))),
        message("user", "Thanks."),
    )
    look = types.FunctionCall(id="a", name="look", args={})
    time = types.FunctionCall(id="b", name="time", args={"zone": "CET"})
    looked = types.FunctionResponse(id="a", name="look", response={"output": "a pixel"})
    timed = types.FunctionResponse(id="b", name="time", response={"hour": 12})
    theirs: list[types.ContentUnion] = [
        types.UserContent(
            [
                types.Part(text="What is this, and the time?"),
                types.Part.model_validate({"inlineData": {"mimeType": "image/gif", "data": PIXEL}}),
                types.Part.from_uri(file_uri="https://example.com/a.pdf", mime_type="application/pdf"),
            ]
        ),
        types.ModelContent(
            [
                types.Part(text="Let", thought_signature=b"signed"),
                types.Part(text=" me look."),
                types.Part(function_call=look, thought_signature=b"signed"),
                types.Part(function_call=time),
            ]
        ),
        types.UserContent([types.Part(function_response=looked), types.Part(function_response=timed)]),
        types.ModelContent([types.Part(text="A pixel at noon."), types.Part(text="", thought_signature=b"signed")]),
        types.UserContent("Thanks."),
    ]
    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        temperature=0.5,
        max_output_tokens=9,
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_level=types.ThinkingLevel.LOW),
    )
    stream = await google.models.generate_content_stream(model=TARGET.model, contents=theirs, config=config)
    async for _ in stream:
        pass
    asked = dict(upstream.requests[-1].body)
    assert asked["systemInstruction"].pop("role", "user") == "user"  # a role means nothing there
    target = other(base_url=upstream.origin, reasoning="low", key=Secret("test"))
    assert body(*ours, target=target, temperature=0.5, max_tokens=9) == in_camel_case(asked)
    call = Gemini().build(target, Prompt(messages=ours))
    assert call.url == f"{upstream.origin}{upstream.requests[-1].path}?alt=sse"
    assert upstream.requests[-1].headers["x-goog-api-key"] == call.headers["x-goog-api-key"] == "test"


async def ask(transport: Transport, upstream: ScriptedUpstream, reply: Reply) -> Said | UpstreamFailure:
    upstream.reply(reply)
    call = Gemini().build(other(base_url=upstream.origin, key=Secret("k")), Prompt(messages=(HI,)))
    heard = Heard()
    transport.send(call, heard)
    await heard.over()
    if heard.status != 200:
        return Gemini().refusal(heard.status, heard.headers, heard.content)
    return read([heard.content], "gemini").said


@pytest.mark.anyio
async def test_an_answer_over_http(transport: Transport, upstream: ScriptedUpstream) -> None:
    reply = Reply(reasoning=("So", "."), signature=SIGNED, text=("Let", " me"), prompt_tokens=9, cached_tokens=4)
    usage = events.Usage(9, 4, 13, 4, 2)
    assert await ask(transport, upstream, reply) == Said(
        "Let me", Answer("stop", usage), "So.", (seal(f"this+6+0:{SIGNED}"),)
    )
    calls = (SaidCall("a", "time", ('{"zone":', '"CET"}')), SaidCall(None, "look"))
    reply = Reply(signature=SIGNED, text=("Let me",), tool_calls=calls, finish_reason="tool_calls", usage=False)
    assert await ask(transport, upstream, reply) == Said(
        "Let me",
        Answer("tool_calls", None),
        calls=(Call("a", "time", '{"zone":"CET"}', seal(SIGNED)), Call("m-call-2", "look", "{}")),
    )


@pytest.mark.anyio
async def test_failures_over_http(transport: Transport, upstream: ScriptedUpstream) -> None:
    broken = await ask(transport, upstream, Reply(text=("a", "b"), error_after=1))
    assert broken == Said("a", Code.upstream_error)
    unfinished = await ask(transport, upstream, Reply(text=("a", "b"), finish_reason=None))
    assert unfinished == Said("ab", Code.upstream_truncated)
    error = {"code": 404, "message": "models/m is not found for API version v1beta", "status": "NOT_FOUND"}
    refused = await ask(transport, upstream, Reply(status=404, body={"error": error}))
    assert isinstance(refused, UpstreamFailure)
    assert refused.code is Code.upstream_unknown_model

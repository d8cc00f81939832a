"""Ollama's own chat: what is asked, what a refusal means, and what is particular in what it says."""

import json
from typing import Any

import pytest
from ollama import AsyncClient

from tokenwire import events
from tokenwire.errors import Code, UpstreamFailure
from tokenwire.messages import Media, MediaKind, Message, Reasoning, Text, ToolCall, message
from tokenwire.providers.base import Answer, Effort, Prompt, Quirks, Target
from tokenwire.providers.lines import LineFraming
from tokenwire.providers.ollama import Ollama
from tokenwire.providers.transport import Transport
from tokenwire.secret import Secret
from tokenwire.testing import Reply, ScriptedUpstream
from tokenwire.testing import ToolCall as SaidCall
from tokenwire.wire.sse import TooLong

from .calls import Heard
from .transcripts import Call, Said, read

TARGET = Target(name="small", provider="ollama", api="ollama", model="qwen3:8b", base_url="http://ollama.example")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CONVERSATION = (
    message("system", "Be brief."),
    Message("user", (Text("What is this, "), Text("and the time?"), Media("image", data=PIXEL, mime_type="image/png"))),
    Message(
        "assistant",
        (Reasoning("hm", "anthropic:abc"), Text("Let me look.")),
        (ToolCall("a", "look", "{}"), ToolCall("b", "time", '{"zone": "CET", "digits": 12345678901234567890123}')),
    ),
    Message("tool", (Text("a pixel"),), tool_call_id="a"),
    Message("tool", (Text('{"hour": 12}'),), tool_call_id="b"),
    message("assistant", "A pixel at noon."),
    message("user", "Thanks."),
)


def body(target: Target = TARGET, *messages: Message, **wishes: Any) -> dict[str, Any]:
    call = Ollama().build(target, Prompt(messages=messages or (message("user", "Hi"),), **wishes))
    asked: dict[str, Any] = json.loads(call.body)
    return asked


def other(**fields: Any) -> Target:
    known = {name: getattr(TARGET, name) for name in TARGET.__struct_fields__}
    return Target(**known | fields)


def test_the_question_and_where_it_goes() -> None:
    call = Ollama().build(TARGET, Prompt(messages=(message("user", "Hi"),)))
    assert (call.method, call.url) == ("POST", "http://ollama.example/api/chat")
    assert call.headers == {"content-type": "application/json", "accept": "application/x-ndjson"}
    assert json.loads(call.body) == {
        "model": "qwen3:8b",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://ollama.example/v1", "http://ollama.example/api/chat"),
        ("http://host/ollama", "http://host/ollama/api/chat"),
        ("http://host/ollama/v1", "http://host/ollama/api/chat"),
    ],
)
def test_the_address_of_the_compatible_api_will_do(base_url: str, url: str) -> None:
    assert Ollama().build(other(base_url=base_url), Prompt(messages=())).url == url


def test_a_key_is_a_bearer_token_unless_a_quirk_names_a_header() -> None:
    prompt = Prompt(messages=())
    assert Ollama().build(other(key=Secret("sk-1")), prompt).headers["authorization"] == "Bearer sk-1"
    quirks = Quirks(key_header="x-key", path="/chat", query="a=b")
    call = Ollama().build(other(key=Secret("sk-1"), quirks=quirks), prompt)
    assert call.headers["x-key"] == "sk-1"
    assert "authorization" not in call.headers
    assert call.url == "http://ollama.example/chat?a=b"


def test_parameters_are_options_and_those_of_the_operator_win() -> None:
    assert body(temperature=0.5, max_tokens=9)["options"] == {"temperature": 0.5, "num_predict": 9}
    target = other(params={"options": {"num_ctx": 8192, "temperature": 0}, "keep_alive": -1, "stream": True})
    asked = body(target, temperature=0.5, max_tokens=9)
    assert asked["options"] == {"temperature": 0, "num_predict": 9, "num_ctx": 8192}
    assert asked["keep_alive"] == -1


@pytest.mark.parametrize(("effort", "think"), [("off", False), ("low", "low"), ("medium", "medium"), ("high", "high")])
def test_reasoning_is_think(effort: Effort, think: bool | str) -> None:
    assert body(other(reasoning=effort))["think"] == think
    assert "think" not in body()


def test_a_row_with_nothing_that_can_be_sent_is_left_out() -> None:
    thought = Message("assistant", (Reasoning("hm", "anthropic:abc"),))
    assert body(TARGET, thought, message("user", "Hi"))["messages"] == [{"role": "user", "content": "Hi"}]


def test_arguments_are_an_object_digit_by_digit() -> None:
    calls = (ToolCall("a", "f", ' {"n": 12345678901234567890123}'), ToolCall("b", "f", "[1]"))
    [row] = body(TARGET, Message("assistant", (), calls))["messages"]
    assert [call["function"]["arguments"] for call in row["tool_calls"]] == [{"n": 12345678901234567890123}, {}]


def test_an_image_by_data_url_is_sent_as_its_data() -> None:
    image = Media("image", url=f"data:image/png;base64,{PIXEL}")
    assert body(TARGET, Message("user", (image,)))["messages"] == [{"role": "user", "content": "", "images": [PIXEL]}]


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("image", {"url": "https://example.com/a.png"}, "images as data only"),
        ("image", {"url": "data:image/svg+xml,<svg/>"}, "only as base64"),
        ("audio", {"data": "AAAA"}, "does not take audio"),
        ("video", {"url": "https://example.com/a.mp4"}, "does not take video"),
        ("document", {"data": "AAAA"}, "does not take documents"),
    ],
)
def test_what_it_cannot_take_is_refused(kind: MediaKind, fields: dict[str, str], said: str) -> None:
    with pytest.raises(UpstreamFailure) as refused:
        body(TARGET, Message("user", (Text("What is this?"), Media(kind, **fields))))
    assert refused.value.code is Code.unsupported_content
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (404, 'model "nosuch" not found, try pulling it first', Code.upstream_unknown_model),
        (404, "model 'nosuch' not found", Code.upstream_unknown_model),
        (400, '"llama3.2:3b" does not support thinking', Code.upstream_rejected),
        (400, "prompt too long; exceeded max context length by 12 tokens", Code.context_too_long),
        (401, "unauthorized", Code.upstream_auth),
        (500, "model requires more system memory (9.1 GiB) than is available (3.9 GiB)", Code.upstream_error),
        (503, "server busy, please try again.  maximum pending requests exceeded", Code.upstream_overloaded),
    ],
)
def test_refusals(status: int, error: str, code: Code) -> None:
    assert Ollama().refusal(status, {}, json.dumps({"error": error}).encode()).code is code


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


DONE = line(message={"role": "assistant", "content": ""}, done=True, done_reason="stop")


def test_calls_of_two_answers_never_share_an_id() -> None:
    calls = line(message={"tool_calls": [{"id": "call_0", "function": {"name": "f", "arguments": {}}}]}, done=False)
    ids = set()
    for message_id in ("msg-1", "msg-2"):
        parser = Ollama().parser(message_id)
        ids |= {it.tool_call_id for it in parser.feed(calls + DONE) if isinstance(it, events.ToolCallStart)}
    assert len(ids) == 2


def test_text_reasoning_and_calls_may_share_the_line_that_ends() -> None:
    calls = [{"function": {"name": "f", "arguments": {"a": 1}}}]
    whole = line(message={"content": "Hm.", "thinking": "So.", "tool_calls": calls}, done=True, done_reason="length")
    assert read([whole], "ollama").said == Said(
        "Hm.", Answer("length", None), "So.", calls=(Call("m-call-1", "f", '{"a": 1}'),)
    )


@pytest.mark.parametrize("count", ["many", -0.5, True, {}, None])
def test_a_count_that_is_none_loses_nothing(count: Any) -> None:
    whole = line(message={"content": "Hi"}, done=True, prompt_eval_count=count, eval_count=3)
    assert read([whole], "ollama").said == Said("Hi", Answer("stop", events.Usage(completion_tokens=3)))


def test_lines_are_cut_at_line_feeds_alone() -> None:
    framing = LineFraming()
    assert framing.feed(b' {"a"\r:1}\r\n\r\n\n{"b":') == [b'{"a"\r:1}']
    assert framing.feed(b"2") == []
    assert framing.feed(b'}\n{"c":3}\n{"d"') == [b'{"b":2}', b'{"c":3}']
    assert framing.end() == [b'{"d"']
    assert framing.end() == []


def test_a_line_without_end_is_too_long_but_loses_nothing_before_it() -> None:
    framing = LineFraming(limit=10)
    assert framing.feed(b"one\n" + b"x" * 11) == [b"one"]
    with pytest.raises(TooLong):
        framing.feed(b"x")


@pytest.mark.anyio
async def test_it_asks_as_ollamas_own_client_does(upstream: ScriptedUpstream) -> None:
    target = other(base_url=upstream.origin, reasoning="low")
    calls = [{"function": {"name": "look", "arguments": {}}}]
    calls += [{"function": {"name": "time", "arguments": {"zone": "CET", "digits": 12345678901234567890123}}}]
    rows: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is this, and the time?", "images": [PIXEL]},
        {"role": "assistant", "content": "Let me look.", "tool_calls": calls},
        {"role": "tool", "content": "a pixel", "tool_name": "look"},
        {"role": "tool", "content": '{"hour": 12}', "tool_name": "time"},
        {"role": "assistant", "content": "A pixel at noon."},
        {"role": "user", "content": "Thanks."},
    ]
    async with AsyncClient(upstream.origin, timeout=10) as client:
        options = {"temperature": 0.5, "num_predict": 9}
        async for _ in await client.chat("qwen3:8b", rows, stream=True, think="low", options=options):
            pass
    asked = dict(upstream.requests[-1].body)
    assert asked.pop("tools", []) == []  # it says that there are none
    assert body(target, *CONVERSATION, temperature=0.5, max_tokens=9) == asked


async def ask(transport: Transport, upstream: ScriptedUpstream, reply: Reply) -> Said | UpstreamFailure:
    upstream.reply(reply)
    call = Ollama().build(other(base_url=upstream.origin), Prompt(messages=CONVERSATION))
    heard = Heard()
    transport.send(call, heard)
    await heard.over()
    if heard.status != 200:
        return Ollama().refusal(heard.status, heard.headers, heard.content)
    assert heard.headers["content-type"] == "application/x-ndjson"
    return read([heard.content], "ollama").said


@pytest.mark.anyio
async def test_an_answer_over_http(transport: Transport, upstream: ScriptedUpstream) -> None:
    calls = (SaidCall(None, "time", ('{"zone":', '"CET"}')), SaidCall(None, "look"))
    reply = Reply(reasoning=("So", "."), text=("Let", " me"), tool_calls=calls, finish_reason="tool_calls")
    assert await ask(transport, upstream, reply) == Said(
        "Let me",
        Answer("tool_calls", events.Usage(8, 6, 14)),
        "So.",
        calls=(Call("m-call-1", "time", '{"zone":"CET"}'), Call("m-call-2", "look", "{}")),
    )
    assert upstream.requests[-1].body["messages"][1]["images"] == [PIXEL]


@pytest.mark.anyio
async def test_failures_over_http(transport: Transport, upstream: ScriptedUpstream) -> None:
    broken = await ask(transport, upstream, Reply(text=("a", "b"), error_after=1))
    assert broken == Said("a", Code.upstream_error)
    assert await ask(transport, upstream, Reply(text=("a", "b"), finish_reason=None)) == Said(
        "ab", Code.upstream_truncated
    )
    refused = await ask(transport, upstream, Reply(status=404, body={"error": "model 'm' not found"}))
    assert isinstance(refused, UpstreamFailure)
    assert refused.code is Code.upstream_unknown_model

"""LiteLLM's proxy as an upstream that is not ours.

It judges both ways: what it makes of a scripted model's answer in each provider's wire has to be read, and what each
codec asks has to arrive at the scripted model as the same conversation.
"""

import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import pytest

from tokenwire import events
from tokenwire.errors import Code, UpstreamFailure
from tokenwire.messages import Media, Message, Text, ToolCall, message
from tokenwire.providers.base import Answer, Api, Prompt, Target
from tokenwire.providers.codecs import CODECS
from tokenwire.providers.presets import PRESETS
from tokenwire.secret import Secret
from tokenwire.testing import Reply, ScriptedUpstream, ThreadedUpstream
from tokenwire.testing import ToolCall as SaidCall

from .transcripts import assert_well_formed

PROXY = Path(__file__).parents[2] / ".venv-litellm" / "bin" / "litellm"
KEY = "sk-a-master-key-that-is-long-enough-0123456789"
MOCKED = "Noon is twelve o'clock, “midday” ☀️."
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CONFIG = """
model_list:
  - model_name: scripted
    litellm_params: {{model: openai/gpt-4o-mini, api_key: sk-none, api_base: "{upstream}", max_retries: 0}}
  - model_name: mocked
    litellm_params: {{model: anthropic/claude-sonnet-4-5, api_key: sk-none, mock_response: "{mocked}"}}
general_settings: {{master_key: {key}}}
litellm_settings: {{telemetry: false, num_retries: 0}}
router_settings: {{disable_cooldowns: true, num_retries: 0}}
"""
PROVIDERS: dict[Api, str] = {
    "openai-chat": "/v1",
    "openai-responses": "/v1",
    "anthropic": "",
    "gemini": "/v1beta",
}
"""Where the proxy speaks each wire."""

every_wire = pytest.mark.parametrize("api", PROVIDERS)


class Heard(NamedTuple):
    """What a codec made of an answer."""

    happened: list[events.Event]
    outcome: Answer | UpstreamFailure

    @property
    def text(self) -> str:
        return "".join(event.delta for event in self.happened if isinstance(event, events.TextMessageContent))

    @property
    def reasoning(self) -> str:
        return "".join(event.delta for event in self.happened if isinstance(event, events.ReasoningMessageContent))

    @property
    def calls(self) -> dict[str, object]:
        """The arguments by the tool's name."""
        names = {e.tool_call_id: e.tool_call_name for e in self.happened if isinstance(e, events.ToolCallStart)}
        texts = dict.fromkeys(names, "")
        for event in self.happened:
            if isinstance(event, events.ToolCallArgs):
                texts[event.tool_call_id] += event.delta
        return {names[call_id]: json.loads(text) for call_id, text in texts.items()}

    @property
    def code(self) -> Code:
        assert isinstance(self.outcome, UpstreamFailure)
        return self.outcome.code

    @property
    def answer(self) -> Answer:
        assert isinstance(self.outcome, Answer)
        return self.outcome


@pytest.fixture(scope="module")
def model() -> Iterator[ThreadedUpstream]:
    """The scripted model behind the proxy."""
    with ScriptedUpstream.in_thread() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def proxy(model: ThreadedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The proxy's address."""
    folder = tmp_path_factory.mktemp("litellm")
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(upstream=model.base_url, mocked=MOCKED, key=KEY))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    # prices and telemetry would be asked for over the network
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_DOCS": "True", "HOME": str(folder)}
    command = [str(PROXY), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env, cwd=folder)
        try:
            _until_it_answers(f"http://127.0.0.1:{port}/health/liveliness", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    patience = monotonic() + 90
    while monotonic() < patience:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            with suppress(subprocess.TimeoutExpired):
                pytest.fail(f"the proxy does not start: exit code {process.wait(0.2)}")
    pytest.fail("the proxy does not answer")


def ask(proxy: str, api: Api, *messages: Message, model: str = "scripted") -> Heard:
    target = Target(
        name="it",
        provider="litellm",
        api=api,
        model=model,
        base_url=proxy + PROVIDERS[api],
        key=Secret(KEY),
        quirks=PRESETS[api if api in PRESETS else "openai-compatible"].quirks,
    )
    codec = CODECS[api]
    call = codec.build(target, Prompt(messages=messages or (message("user", "When?"),), max_tokens=100))
    request = urllib.request.Request(call.url, call.body, dict(call.headers), method=call.method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            body = response.read()
    except urllib.error.HTTPError as error:
        headers = {name.lower(): value for name, value in error.headers.items()}
        return Heard([], codec.refusal(error.code, headers, error.read()))
    parser = codec.parser("m")
    happened = parser.feed(body)
    if parser.outcome is None:
        happened += parser.end()
    assert parser.outcome is not None
    assert_well_formed([*happened, *parser.close()])
    return Heard(happened, parser.outcome)


@every_wire
def test_an_answer(proxy: str, model: ThreadedUpstream, api: Api) -> None:
    model.reply(Reply(text=["Noon ", "is ", "twelve", " ☀️"]))
    heard = ask(proxy, api)
    assert heard.text == "Noon is twelve ☀️"
    assert heard.answer.reason == "stop"


@pytest.mark.parametrize("api", ["openai-chat", "gemini"])
def test_a_mocked_answer(proxy: str, api: Api) -> None:
    heard = ask(proxy, api, model="mocked")
    assert heard.text == MOCKED
    assert heard.answer.reason == "stop"


@pytest.mark.parametrize("api", ["openai-chat", "openai-responses", "anthropic"])
def test_reasoning_and_usage(proxy: str, model: ThreadedUpstream, api: Api) -> None:
    model.reply(Reply(reasoning=["It is ", "noon."], text=["Noon"], prompt_tokens=21))
    heard = ask(proxy, api)
    assert (heard.reasoning, heard.text) == ("It is noon.", "Noon")
    assert heard.answer.usage is not None
    assert (heard.answer.usage.prompt_tokens, heard.answer.usage.completion_tokens) == (21, 3)


@every_wire
def test_a_tool_call(proxy: str, model: ThreadedUpstream, api: Api) -> None:
    call = SaidCall(id="call_1", name="clock", arguments=['{"zone":', ' "UTC"}'])
    model.reply(Reply(tool_calls=[call], finish_reason="tool_calls"))
    heard = ask(proxy, api)
    assert heard.calls == {"clock": {"zone": "UTC"}}
    assert heard.answer.reason == "tool_calls"


@every_wire
def test_a_length_that_is_reached(proxy: str, model: ThreadedUpstream, api: Api) -> None:
    model.reply(Reply(text=["No"], finish_reason="length"))
    assert ask(proxy, api).answer.reason == "length"


@pytest.mark.parametrize("api", ["openai-chat", "openai-responses", "anthropic"])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (HTTPStatus.UNAUTHORIZED, Code.upstream_auth),
        (HTTPStatus.TOO_MANY_REQUESTS, Code.upstream_rate_limited),
        (HTTPStatus.BAD_REQUEST, Code.upstream_rejected),
        (HTTPStatus.INTERNAL_SERVER_ERROR, Code.upstream_error),
    ],
)
def test_a_refusal(proxy: str, model: ThreadedUpstream, api: Api, status: int, code: Code) -> None:
    model.reply(Reply(status=status))
    assert ask(proxy, api).code is code


def test_a_refusal_that_the_proxy_makes_its_own_failure(proxy: str, model: ThreadedUpstream) -> None:
    model.reply(Reply(status=HTTPStatus.UNAUTHORIZED))
    assert ask(proxy, "gemini").code is Code.upstream_error


@every_wire
def test_a_conversation_arrives_as_it_was(proxy: str, model: ThreadedUpstream, api: Api) -> None:
    before = len(model.requests)
    heard = ask(
        proxy,
        api,
        message("system", "Be brief."),
        Message("user", (Text("What is this?"), Media("image", data=PIXEL, mime_type="image/png"))),
        Message("assistant", (Text("I look."),), (ToolCall("call_1", "look", '{"at": "it"}'),)),
        Message("tool", (Text('{"seen": "a pixel"}'),), tool_call_id="call_1"),
        message("assistant", "A pixel."),
        message("user", "And now?"),
    )
    assert heard.answer.reason == "stop"
    arrived = list(told(model.requests[before].body))
    assert arrived == [
        ("system", "Be brief."),
        ("user", "What is this?"),
        *([] if api == "gemini" else [("image", f"data:image/png;base64,{PIXEL}")]),  # the proxy drops it
        *sorted([("assistant", "I look."), ("call", 'look {"at": "it"}')], reverse=api == "anthropic"),
        ("result", '{"seen": "a pixel"}'),
        ("assistant", "A pixel."),
        ("user", "And now?"),
    ]


def told(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a request to the scripted model says, whichever of OpenAI's two wires the proxy chose for it."""
    if "instructions" in body:
        yield "system", body["instructions"]
    for row in body.get("messages") or body["input"]:
        kind = row.get("type", "message")
        if kind == "function_call":
            yield "call", f"{row['name']} {row['arguments']}"
        elif kind == "function_call_output":
            yield "result", row["output"]
        elif row["role"] == "tool":
            yield "result", row["content"]
        else:
            content = row["content"]
            for part in [{"text": content}] if isinstance(content, str) else content:
                if "image_url" in part:
                    image = part["image_url"]
                    yield "image", image if isinstance(image, str) else image["url"]
                else:
                    yield row["role"], part["text"]
            for call in row.get("tool_calls", ()):
                yield "call", f"{call['function']['name']} {call['function']['arguments']}"

"""What a provider signs comes back to it through the real clients: reasoning, and the calls of tools."""

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from tokenwire.testing import Reply, ScriptedUpstream, ThreadedUpstream, ToolCall

from ..server import served
from .client import Client, Framing, Json
from .node import Node

CONFIG = """
model = "anthropic"

[models.anthropic]
provider = "anthropic"
base_url = "{url}"
model = "upstream"
key_env = ""

[models.gemini]
provider = "gemini"
base_url = "{url}"
model = "upstream"
key_env = ""

[models.openai-responses]
provider = "openai-responses"
base_url = "{url}/v1"
model = "upstream"
key_env = ""
reasoning = "low"
"""
SIGNATURE = "c2lnbmVk"
REPLY = Reply(
    reasoning=("I need ", "a clock."),
    signature=SIGNATURE,
    text=("Let me ", "look."),
    tool_calls=(ToolCall("call_1", "clock", ('{"zone":', '"UTC"}')),),
    finish_reason="tool_calls",
)
UNREAD = Reply(signature=SIGNATURE, text=("Noon.",))


@pytest.fixture(scope="module")
def upstream() -> Iterator[ThreadedUpstream]:
    with ScriptedUpstream.in_thread() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def base(upstream: ThreadedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("signatures")
    config = folder / "tokenwire.toml"
    config.write_text(CONFIG.format(url=upstream.base_url.removesuffix("/v1")))
    with served(folder / "log", "--config", config) as server:
        yield server.url


@pytest.fixture(params=[*get_args(Framing), "websocket"])
def client(request: pytest.FixtureRequest, clients: Node, base: str) -> Client:
    """The generation that keeps signatures, over each transport."""
    return Client(clients, base, "new", request.param)


THOUGHT: Json = {"type": "thinking", "thinking": "I need a clock.", "signature": SIGNATURE}
SUMMARY: Json = {"type": "summary_text", "text": "I need a clock."}
LOOK, NOON = "Let me look.", "Noon."
ARGUMENTS: Json = {"zone": "UTC"}

CALLED: dict[str, list[Json]] = {
    "anthropic": [
        THOUGHT,
        {"type": "text", "text": LOOK},
        {"type": "tool_use", "id": "call_1", "name": "clock", "input": ARGUMENTS},
    ],
    "gemini": [
        {"text": LOOK},
        {
            "functionCall": {"id": "call_1", "name": "clock", "args": ARGUMENTS},
            "thoughtSignature": SIGNATURE,
        },
    ],
    "openai-responses": [
        {"type": "reasoning", "summary": [SUMMARY], "encrypted_content": SIGNATURE},
        {"role": "assistant", "content": LOOK},
        {"type": "function_call", "call_id": "call_1", "name": "clock", "arguments": '{"zone":"UTC"}'},
    ],
}
"""Of the answer with a call, what the model is told on the next turn that it said."""

UNREAD_CAME_BACK = {
    "anthropic": [{**THOUGHT, "thinking": ""}, {"type": "text", "text": NOON}],
    "gemini": [{"text": NOON}, {"text": "", "thoughtSignature": SIGNATURE}],
    "openai-responses": [
        {"type": "reasoning", "summary": [], "encrypted_content": SIGNATURE},
        {"role": "assistant", "content": NOON},
    ],
}
"""The same of the answer whose reasoning nobody can read."""


def answer_in(body: Json) -> list[Any]:
    """What the model is told that it said, without the names that the provider gave."""
    if "contents" in body:
        return list(body["contents"][1]["parts"])
    if "input" in body:
        kinds = [item for item in body["input"][1:-1] if item.get("type") != "function_call_output"]
        return [{name: value for name, value in item.items() if name != "id"} for item in kinds]
    return list(body["messages"][1]["content"])


def asked_again(client: Client, upstream: ThreadedUpstream, provider: str, reply: Reply) -> list[Any]:
    """The answer as the provider gets it with the next question."""
    upstream.reply(reply, Reply(text=("Hi",)))
    model = {"model": provider}
    seen = client.play(["send", "Hello", model], ["send", "And?", model])
    assert (seen.status, seen.error, seen.answer) == ("ready", None, "Hi")
    return answer_in(upstream.requests[-1].body)


@pytest.mark.parametrize("provider", CALLED)
def test_a_signature_comes_back_with_a_call(client: Client, upstream: ThreadedUpstream, provider: str) -> None:
    assert asked_again(client, upstream, provider, REPLY) == CALLED[provider]


@pytest.mark.parametrize("provider", UNREAD_CAME_BACK)
def test_reasoning_that_nobody_can_read_comes_back(client: Client, upstream: ThreadedUpstream, provider: str) -> None:
    assert asked_again(client, upstream, provider, UNREAD) == UNREAD_CAME_BACK[provider]


@pytest.mark.parametrize("reply", [REPLY, UNREAD], ids=["read", "unread"])
def test_no_signature_goes_to_another_provider(client: Client, upstream: ThreadedUpstream, reply: Reply) -> None:
    upstream.reply(reply, *[Reply(text=("Hi",))] * 2)
    turns = [["send", "Hello", {"model": model}] for model in ("anthropic", "gemini", "openai-responses")]
    seen = client.play(*turns)
    assert (seen.status, seen.error) == ("ready", None)
    for request in upstream.requests[-2:]:
        assert SIGNATURE not in json.dumps(request.body)


@pytest.mark.parametrize("framing", get_args(Framing))
def test_the_legacy_client_keeps_the_call_and_no_signature(
    clients: Node, base: str, upstream: ThreadedUpstream, framing: Framing
) -> None:
    client = Client(clients, base, "legacy", framing)
    assert asked_again(client, upstream, "anthropic", REPLY) == CALLED["anthropic"][1:]

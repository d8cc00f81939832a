"""What a client says beside its messages and the few choices that are offered reaches no model."""

import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.types.message_create_params import MessageCreateParamsBase
from google.genai.types import GenerateContentConfig
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from tokenwire.testing import ThreadedUpstream

from ..over_http.client import ask
from ..over_http.wires import RAIS, TANSTACK, Json
from ..server import served

APIS = {"openai": "/v1", "openai-responses": "/v1", "anthropic": "", "gemini": "/v1beta", "ollama": ""}
WORD = "no-field-of-a-client-canary-7d2e"

CONFIG = """
[models.fast]
provider = "{provider}"
base_url = "{origin}{path}"
model = "any"
key_env = ""
max_tokens = 99
"""


OFFERED = {"messages", "model", "provider", "persona", "temperature", "max_tokens", "max_completion_tokens"}
"""And this is what a client may say."""

_OTHERS = """
    systemInstruction generationConfig safetySettings cachedContent contents toolConfig options keep_alive
    format raw template system systemPrompt system_prompt prompt suffix headers extra_body extra_headers
    extra_query api_key base_url modelOptions providerOptions provider_options guided_json chat_template_kwargs
    plugins transforms route models thinking functions function_call config context state timeout
"""


def _fields() -> list[str]:
    """Every field that the APIs know, and some that servers and libraries do."""
    names: set[str] = set()
    for typed in (CompletionCreateParamsBase, ResponseCreateParamsBase, MessageCreateParamsBase):
        names |= typed.__annotations__.keys()
    for name, field in GenerateContentConfig.model_fields.items():
        names |= {name, field.alias or name}
    return sorted((names | set(_OTHERS.split())) - OFFERED)


FIELDS: Json = {
    **dict.fromkeys(_fields(), WORD),
    "metadata": {"user_id": WORD},
    "options": {"num_ctx": WORD},
    "generationConfig": {"responseSchema": {"title": WORD}},
    "tools": [{"type": "function", "function": {"name": WORD, "description": WORD, "parameters": {}}}],
    "stop": [WORD],
    "logit_bias": {WORD: 1},
}


def everywhere(body: Json) -> list[Json]:
    """A question with all those fields in each of the places where a client may have them."""
    plain = {name: value for name, value in FIELDS.items() if name not in body}
    message = {**body["messages"][-1], **{name: value for name, value in plain.items() if name != "parts"}}
    return [
        {**plain, **body},
        {**body, "data": plain},
        {**body, "forwardedProps": plain},
        {**body, "messages": [{**message, "id": "m"}]},
    ]


@pytest.mark.parametrize("provider", APIS)
def test_no_field_of_any_api_is_passed_on(tmp_path: Path, upstream: ThreadedUpstream, provider: str) -> None:
    config = tmp_path / "tokenwire.toml"
    config.write_text(CONFIG.format(provider=provider, origin=upstream.origin, path=APIS[provider]))
    heard: list[Any] = []
    with served(tmp_path / "log", "--config", config) as server:
        for wire in (RAIS, TANSTACK):
            for body in [wire.body(), *everywhere(wire.body())]:
                upstream.say("Hi")
                answer = ask(server.url, wire.path, body)
                assert b'"Hi"' in answer.read(), (answer.status, answer.body)
                heard.append(upstream.requests[-1])
    assert len(heard) == 10
    assert all(WORD not in json.dumps([one.path, dict(one.headers), one.body]) for one in heard)
    ordinary = heard[0]
    for one in heard:
        assert one.body == ordinary.body
        assert one.headers.keys() == ordinary.headers.keys()

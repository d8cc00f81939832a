"""Keys that a request brings: which are read, whom they go to, and what the configuration says of them."""

import gc
import pickle
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tokenwire import Ask, ChatBackend
from tokenwire.config import Config, load
from tokenwire.errors import ByokMissing, Code, ConfigError, Refusal
from tokenwire.gate.byok import MAX_KEY, brought_keys, with_keys
from tokenwire.routing.model import Model
from tokenwire.secret import Secret, living
from tokenwire.testing import Reply, ThreadedUpstream

from ..over_http.wires import RAIS, TANSTACK

KEY = "sk-theirs-3f9a1c"
FILE = """
[models.both]
[[models.both.targets]]
provider = "openai"
model = "gpt"
weight = 2
[[models.both.targets]]
provider = "groq"
model = "llama"

[models.mine]
provider = "openai"
model = "gpt"

[models.ours]
provider = "groq"
model = "llama"

[models.open]
provider = "vllm"
model = "open"

[byok]
providers = ["openai", "vllm"]
"""


def configured(folder: Path, text: str = FILE, **environ: str) -> Config:
    path = folder / "tokenwire.toml"
    path.write_text(text)
    return load(path, {"GROQ_API_KEY": "gsk-ours", **environ})


def keys(model: Model) -> dict[str, str | None]:
    return {target.provider: target.key.reveal() if target.key else None for target in model.targets}


def read(*headers: tuple[str, str], allowed: tuple[str, ...] = ("openai", "groq")) -> dict[str, str]:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return {provider: key.reveal() for provider, key in brought_keys(raw, allowed).items()}


def test_the_keys_of_a_request() -> None:
    sent = (("X-Byok-OpenAI", f" {KEY} "), ("x-byok-groq", "gsk"), ("x-byok-anthropic", "sk-ant"), ("x-byok-", "k"))
    assert read(*sent) == {"openai": KEY, "groq": "gsk"}
    assert read(*sent, allowed=()) == {}


@pytest.mark.parametrize("value", ["", "  ", "two words", "a\tb", "schlüssel", "\x7f", "k" * (MAX_KEY + 1)])
def test_what_is_no_key(value: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(("x-byok-openai", value))
    assert (refused.value.code, refused.value.message) == (Code.bad_request, "What x-byok-openai holds is not a key.")
    assert read(("x-byok-openai", value), allowed=("groq",)) == {}


def test_two_keys_for_one_provider_are_none() -> None:
    with pytest.raises(Refusal):
        read(("x-byok-openai", KEY), ("x-byok-openai", KEY))


@given(st.lists(st.tuples(st.binary(max_size=12).map(lambda rest: b"x-byok-" + rest), st.binary(max_size=40))))
def test_whatever_is_sent_is_a_key_or_refused(headers: list[tuple[bytes, bytes]]) -> None:
    try:
        found = brought_keys(headers, ("openai", "a"))
    except Refusal:
        found = {}
    for key in found.values():
        text = key.reveal()
        assert text.isascii()
        assert text.isprintable()
        assert 0 < len(text) <= MAX_KEY


def test_a_key_replaces_our_own_at_its_provider_alone(tmp_path: Path) -> None:
    config = configured(tmp_path, OPENAI_API_KEY="sk-ours")
    both = config.models["both"]
    theirs = with_keys(both, {"openai": Secret(KEY)})
    assert keys(theirs) == {"openai": KEY, "groq": "gsk-ours"}
    assert keys(both) == {"openai": "sk-ours", "groq": "gsk-ours"}
    assert [choice.weight for choice in theirs.choices] == [2, 1]
    assert with_keys(both, {}) == both
    assert KEY not in repr(theirs)
    with pytest.raises(TypeError):
        pickle.dumps(theirs)


def test_a_target_without_a_key_is_asked_with_one_that_is_brought(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert keys(with_keys(config.models["mine"], {"openai": Secret(KEY)})) == {"openai": KEY}
    assert keys(with_keys(config.models["both"], {})) == {"groq": "gsk-ours"}
    with pytest.raises(ByokMissing) as missing:
        with_keys(config.models["mine"], {"groq": Secret(KEY)})
    refusal = missing.value
    assert (refusal.status, refusal.code, refusal.provider) == (401, Code.byok_missing, "openai")
    assert refusal.message == "Missing openai API key"


def test_what_needs_no_key_may_be_asked_with_one(tmp_path: Path) -> None:
    model = configured(tmp_path).models["open"]
    assert keys(with_keys(model, {})) == {"vllm": None}
    assert keys(with_keys(model, {"vllm": Secret(KEY)})) == {"vllm": KEY}


def test_an_empty_key_env_leaves_it_to_the_request(tmp_path: Path) -> None:
    file = FILE.replace('model = "gpt"', 'model = "gpt"\nkey_env = ""')
    with pytest.raises(ByokMissing):
        with_keys(configured(tmp_path, file, OPENAI_API_KEY="sk-ours").models["mine"], {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            FILE.replace('["openai", "vllm"]', "[]"),
            r"models\.both\.targets\[0\]\.key_env: .* OPENAI_API_KEY is not set",
        ),
        (FILE.replace('"vllm"]', '"nobody"]'), r"byok\.providers: 'nobody' is not one of"),
        (FILE.replace('"vllm"]', '"local"]'), r"byok\.providers: 'local' is not one of"),
        (FILE.replace('model = "gpt"', 'model = "gpt"\nkey_env = "MINE"'), r"key_env: .* MINE is not set"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        configured(tmp_path, text)


def test_by_default_nothing_is_brought(tmp_path: Path) -> None:
    config = configured(tmp_path, '[models.m]\nprovider = "openai"\nmodel = "gpt"\n', OPENAI_API_KEY="sk-ours")
    assert config.byok.providers == ()


def served(upstream: ThreadedUpstream) -> ChatBackend:
    """A backend with one model that is asked with a key that is brought, and an agent that asks it, too."""
    model = {"provider": "openai", "base_url": upstream.base_url, "model": "gpt", "key_env": "", "retries": 0}
    backend = ChatBackend({"model": "theirs", "models": {"theirs": model}, "byok": {"providers": ["openai"]}})

    @backend.agent("asking")
    async def asking(ask: Ask) -> AsyncIterator[Any]:
        async for piece in ask.model("theirs"):
            yield piece

    return backend


def holders() -> int:
    gc.collect()
    return sum(secret.reveal() == KEY for secret in living())


def test_a_key_is_held_for_as_long_as_the_run_lasts(upstream: ThreadedUpstream) -> None:
    headers = {"x-byok-openai": KEY}
    for reply in (Reply(text=("Hi",)), Reply(text=("a", "b"), error_after=1), Reply(status=401)):
        upstream.reply(reply)
    with TestClient(served(upstream)) as client:
        for _ in range(3):
            client.post("/api/chat", json=RAIS.body(), headers=headers)
            assert upstream.requests[-1].headers["authorization"] == f"Bearer {KEY}"
            assert holders() == 0
        upstream.say("Hi", hold=True)
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(client.post, "/api/chat", json=RAIS.body(), headers=headers)
            held = upstream.received(4)
            assert holders() == 1
            held.release()
            assert RAIS.text(asked.result().content) == "Hi"
        assert holders() == 0


def test_an_agent_has_the_configured_keys_alone(upstream: ThreadedUpstream) -> None:
    with TestClient(served(upstream)) as client:
        answer = client.post("/api/chat", json=TANSTACK.body(model="asking"), headers={"x-byok-openai": KEY})
    assert "Missing openai API key" in answer.text
    assert upstream.requests == []

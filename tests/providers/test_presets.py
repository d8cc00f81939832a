"""The providers that are known by name."""

import re
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest

from tokenwire.config import load
from tokenwire.errors import ConfigError
from tokenwire.messages import message
from tokenwire.providers.base import Api, Prompt, Quirks, Target
from tokenwire.providers.codecs import CODECS
from tokenwire.providers.presets import PRESETS, Preset

every_preset = pytest.mark.parametrize(("name", "preset"), PRESETS.items(), ids=list(PRESETS))


def target(folder: Path, name: str, **fields: str) -> Target:
    file = folder / "tokenwire.toml"
    lines = [f'{key} = "{value}"\n' for key, value in {"provider": name, "model": "m", **fields}.items()]
    file.write_text("[models.it]\n" + "".join(lines))
    key_env = PRESETS[name].key_env
    return load(file, {key_env: "sk-test"} if key_env else {}).models["it"].first


@every_preset
def test_an_address_takes_the_path_of_a_call(name: str, preset: Preset) -> None:
    example = preset.base_url or preset.like
    url = urlsplit(example)
    assert url.hostname
    assert not example.endswith("/")
    assert (url.query, url.fragment, url.username) == ("", "", None)
    assert url.scheme == ("http" if url.hostname == "127.0.0.1" else "https")
    assert (preset.base_url is None) == bool(preset.like)


@every_preset
def test_a_key_is_needed_elsewhere_and_not_on_this_machine(name: str, preset: Preset) -> None:
    anywhere = name == "openai-compatible"
    local = preset.base_url is not None and urlsplit(preset.base_url).hostname == "127.0.0.1"
    assert (preset.key_env is None) == (anywhere or local)
    assert preset.key_env is None or re.fullmatch(r"[A-Z_]+(KEY|TOKEN|BEDROCK)", preset.key_env)


def test_providers_share_an_address_only_to_speak_another_api() -> None:
    places = [(preset.base_url, preset.api) for preset in PRESETS.values() if preset.base_url]
    assert len(set(places)) == len(places)


def test_every_api_has_a_provider() -> None:
    assert {preset.api for preset in PRESETS.values()} == set(get_args(Api))


@every_preset
def test_a_configuration_may_name_it(name: str, preset: Preset, tmp_path: Path) -> None:
    base_url = preset.base_url or "https://own.example/v1"
    it = target(tmp_path, name, **({} if preset.base_url else {"base_url": base_url}))
    assert (it.provider, it.model, it.base_url) == (name, "m", base_url)
    assert (it.api, it.quirks) == (preset.api, preset.quirks)
    assert (it.key.reveal() if it.key else None) == ("sk-test" if preset.key_env else None)


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.base_url is None])
def test_where_everybody_has_an_address_of_their_own_it_must_be_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=re.escape(f"models.it.base_url: the provider {name} needs one, like https://")
    ):
        target(tmp_path, name)


def test_what_departs_from_the_api_it_speaks() -> None:
    thinks = Quirks(reasoning_field="reasoning_effort")
    openai = Quirks(max_tokens_field="max_completion_tokens", reasoning_field="reasoning_effort")
    departing = {
        name: preset.quirks
        for name, preset in PRESETS.items()
        if preset.api == "openai-chat" and preset.quirks != thinks
    }
    assert departing == {
        "openai": openai,
        "bedrock": openai,
        "azure": Quirks(
            key_header="api-key", max_tokens_field="max_completion_tokens", reasoning_field="reasoning_effort"
        ),
        "openrouter": Quirks(reasoning_field="reasoning"),
        "mistral": Quirks(stream_options=False, reasoning_field="reasoning_effort", call_id_length=9),
        "deepseek": Quirks(reasoning_field="thinking", reasoning_back=True),
    }


def test_the_address_of_ollamas_chat_completions_leads_to_its_own_api(tmp_path: Path) -> None:
    it = target(tmp_path, "ollama", base_url="http://127.0.0.1:11434/v1")
    call = CODECS[it.api].build(it, Prompt(messages=(message("user", "hi"),)))
    assert call.url == "http://127.0.0.1:11434/api/chat"

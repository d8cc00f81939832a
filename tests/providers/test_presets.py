"""The providers that are known by name."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tokenwire.config import load
from tokenwire.providers.presets import PRESETS, Preset

every_preset = pytest.mark.parametrize(("name", "preset"), PRESETS.items(), ids=list(PRESETS))


@every_preset
def test_an_address_takes_the_path_of_a_call(name: str, preset: Preset) -> None:
    url = urlsplit(preset.base_url)
    assert url.hostname
    assert not preset.base_url.endswith("/")
    assert (url.query, url.fragment, url.username) == ("", "", None)
    assert url.scheme == ("http" if url.hostname == "127.0.0.1" else "https")


@every_preset
def test_a_key_is_needed_elsewhere_and_not_on_this_machine(name: str, preset: Preset) -> None:
    assert (preset.key_env is None) == (urlsplit(preset.base_url).hostname == "127.0.0.1")
    assert preset.key_env is None or re.fullmatch(r"[A-Z]+_API_KEY", preset.key_env)


def test_local_servers_do_not_share_a_port() -> None:
    addresses = [preset.base_url for preset in PRESETS.values()]
    assert len(set(addresses)) == len(addresses)


@every_preset
def test_a_configuration_may_name_it(name: str, preset: Preset, tmp_path: Path) -> None:
    file = tmp_path / "tokenwire.toml"
    file.write_text(f'[models.it]\nprovider = "{name}"\nmodel = "m"\n')
    environ = {preset.key_env: "sk-test"} if preset.key_env else {}
    target = load(file, environ).models["it"].first
    assert (target.provider, target.model, target.base_url) == (name, "m", preset.base_url)
    assert (target.key.reveal() if target.key else None) == ("sk-test" if preset.key_env else None)

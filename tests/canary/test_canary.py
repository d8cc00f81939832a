"""No secret is anywhere but where it is used; what is asked and answered is in the answer and the run's log alone."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis

from tokenwire.config import load
from tokenwire.messages import message
from tokenwire.providers.base import Prompt
from tokenwire.providers.codecs import CODECS
from tokenwire.testing import ThreadedUpstream

from ..over_http.client import ask, get
from ..over_http.wires import TANSTACK
from ..runs.redis_server import RedisServer
from .canaries import (
    ANSWER,
    BYOK,
    CONTENT,
    HEADERS,
    OTHER_HEADERS,
    PROMPT,
    PROVIDER_KEY,
    SCRAPER_TOKEN,
    SECRETS,
    STORE_PASSWORD,
    SYSTEM,
    UNSEEN,
    leaks,
)
from .flows import Told, chat, odd_requests, sockets

CONFIG = f"""
[models.fast]
provider = "openai-compatible"
base_url = "{{upstream}}"
model = "any"
key_env = "PROVIDER_KEY"
retries = 0

[personas.guide]
system = "{SYSTEM}"

[runs]
silence_seconds = 0.3
breaker_seconds = 0.0

[metrics]
token_env = "SCRAPER"

[traces]
enabled = true
"""


class Running(NamedTuple):
    url: str
    log: Path
    spans: Path
    process: "subprocess.Popen[str]"

    def metrics(self) -> str:
        answer = get(self.url, "/metrics", {"authorization": f"Bearer {SCRAPER_TOKEN}"})
        assert answer.status == 200
        return answer.body.decode()

    def stop(self) -> None:
        """Whatever it has to say is written down then."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)


@contextlib.contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Running]:
    log, spans = folder / "server.log", folder / "spans.json"
    spans.touch()
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    env |= {"PROVIDER_KEY": PROVIDER_KEY, "SCRAPER": SCRAPER_TOKEN, "SPANS": str(spans), "ANSWER": ANSWER}
    command = [sys.executable, "-X", "dev", "-m", "tests.canary.program", *arguments]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env)
    assert process.stdout is not None
    with process.stdout:
        try:
            page = next((line for line in process.stdout if "page" in line), None)
            assert page is not None, log.read_text()
            yield Running(page.split()[-1], log, spans, process)
        finally:
            process.kill()
            process.wait(20)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """An address, and what gives all that is kept there."""
    if request.param == "memory":
        yield "memory", lambda: b""
    elif request.param == "sqlite":
        files = tmp_path / "store"
        files.mkdir()
        yield f"sqlite:///{files}/runs.db", lambda: b"".join(path.read_bytes() for path in sorted(files.iterdir()))
    else:
        with RedisServer(tmp_path, "--requirepass", STORE_PASSWORD) as server:
            yield server.url.replace("//", f"//:{STORE_PASSWORD}@"), lambda: _dump(server.port)


def _dump(port: int) -> bytes:
    with redis.Redis(port=port, password=STORE_PASSWORD) as client:
        kept = []
        for key in client.scan_iter(count=1000):
            kind = client.type(key)
            if kind == b"hash":
                value: Any = client.hgetall(key)
            elif kind == b"stream":
                value = client.xrange(key)
            elif kind == b"string":
                value = client.get(key)
            elif kind == b"zset":
                value = client.zrange(key, 0, -1)
            else:
                value = client.smembers(key)
            kept.append(repr((key, value)).encode())
        return b"\n".join(kept)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_every_flow_and_failure(
    upstream: ThreadedUpstream, tmp_path: Path, store: tuple[str, Any], log_format: str
) -> None:
    config = tmp_path / "tokenwire.toml"
    config.write_text(CONFIG.replace("{upstream}", upstream.base_url))
    address, kept = store
    os.environ["TOKENWIRE_STORE"] = address
    try:
        arguments = (
            "serve",
            "--port",
            "0",
            "--config",
            str(config),
            "--log-level",
            "debug",
            "--log-format",
            log_format,
        )
        with running(tmp_path, *arguments) as server:
            told = Told()
            chat(server.url, upstream, told, lambda body: {**body, "persona": "guide"})
            sockets(server.url, upstream, told)
            odd_requests(server.url, told)
            metrics = server.metrics()
            in_the_store = kept()
            server.stop()
            in_the_store += kept()
    finally:
        del os.environ["TOKENWIRE_STORE"]

    log, spans = server.log.read_text(), server.spans.read_text()
    assert log.count("run ") > 20, "there is nothing to look through"
    assert spans.count("chat any") > 15
    assert "tokenwire_runs_ended_total" in metrics
    assert any(ANSWER in answer for answer in told.answers)
    everywhere = {
        "log": log,
        "spans": spans,
        "metrics": metrics,
        "answers": "\n".join(told.answers),
        "other answers": "\n".join(told.others),
    }
    found = [leak for where, text in everywhere.items() for leak in leaks(where, text, SECRETS)]
    found += leaks("store", in_the_store, SECRETS)
    found += [
        leak
        for where in ("log", "spans", "metrics", "other answers")
        for leak in leaks(where, everywhere[where], CONTENT)
    ]
    found += leaks("answers", everywhere["answers"], UNSEEN)
    found += leaks("store", in_the_store, UNSEEN)
    assert not found
    if address != "memory":
        assert ANSWER.encode() in in_the_store, "the run's log holds the answer, and was looked through"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_agents_that_tell_what_they_were_asked(tmp_path: Path, log_format: str) -> None:
    with running(tmp_path, "agents", "memory", log_format) as server:
        told = Told()
        for model in ("raising", "raising-at-once", "unreachable", "refused", "nonsense"):
            body = TANSTACK.body(PROMPT, f"run of {model}", data={"model": model, "token": BYOK})
            told.hear(ask(server.url, body=body, headers={"authorization": HEADERS["authorization"]}), of_a_run=True)
            told.hear(ask(server.url, body=body, headers=OTHER_HEADERS))
        odd_requests(server.url, told)
        metrics = server.metrics()
        server.stop()
    log, spans = server.log.read_text(), server.spans.read_text()
    assert "ValueError: [content]" in log
    assert "ExceptionGroup: [content]" in log
    assert "ConnectionError: no **** for Bearer ****" in log
    assert any(ANSWER in answer for answer in told.answers)
    found = [
        leak
        for where, text in {"log": log, "spans": spans, "metrics": metrics, "answers": "\n".join(told.others)}.items()
        for leak in leaks(where, text, SECRETS | CONTENT)
    ]
    found += leaks("answers", "\n".join(told.answers), SECRETS | UNSEEN)
    assert not found


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "tokenwire.toml"
    file.write_text(CONFIG.replace("{upstream}", "http://127.0.0.1:9/v1"))
    environ = {"PROVIDER_KEY": PROVIDER_KEY, "SCRAPER": SCRAPER_TOKEN}
    config = load(file, environ, store=f"redis://:{STORE_PASSWORD}@localhost:6379/0")
    target = config.models["fast"].first
    prompt = Prompt(messages=(message("user", PROMPT),))
    call = CODECS[target.api].build(target, prompt)
    assert PROVIDER_KEY in str(dict(call.headers)), "nothing is hidden that is not there"
    for one in (config, target, call, config.store, config.metrics, f"{config.store}"):
        for shown in (repr(one), str(one), f"{one}"):
            assert not leaks(type(one).__name__, shown, SECRETS)
    assert not leaks("HttpCall", repr(call), CONTENT)


def test_a_store_that_cannot_be_opened_does_not_tell_its_password(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--requirepass", "another") as server:
        done = subprocess.run(
            [sys.executable, "-m", "tokenwire", "serve", "--port", "0"],
            capture_output=True,
            text=True,
            timeout=60,
            env={
                **os.environ,
                "OPENAI_API_KEY": PROVIDER_KEY,
                "TOKENWIRE_STORE": server.url.replace("//", f"//:{STORE_PASSWORD}@"),
            },
        )
    assert done.returncode == 2
    assert "the store redis://" in done.stderr
    assert not leaks("output", done.stdout + done.stderr, SECRETS)

"""No secret is anywhere but where it is used; what is asked and answered is in the answer and the run's log alone."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tokenwire.config import load
from tokenwire.messages import message
from tokenwire.providers.base import Prompt
from tokenwire.providers.codecs import CODECS
from tokenwire.testing import ThreadedUpstream

from ..over_http.client import ask
from ..over_http.wires import TANSTACK
from ..runs.redis_server import RedisServer
from .canaries import (
    ANSWER,
    BYOK,
    CONTENT,
    HEADERS,
    MODEL,
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
from .server import running

CONFIG = f"""
[models.fast]
provider = "openai-compatible"
base_url = "{{upstream}}"
model = "{MODEL}"
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


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_every_flow_and_failure(
    upstream: ThreadedUpstream, tmp_path: Path, store: tuple[str, Any], log_format: str
) -> None:
    config = tmp_path / "tokenwire.toml"
    config.write_text(CONFIG.replace("{upstream}", upstream.base_url))
    address, kept = store
    arguments = ("serve", "--port", "0", "--config", str(config), "--log-level", "debug", "--log-format", log_format)
    with running(tmp_path, *arguments, TOKENWIRE_STORE=address) as server:
        told = Told()
        chat(server.url, upstream, told, lambda body: {**body, "persona": "guide"})
        sockets(server.url, upstream, told)
        odd_requests(server.url, told)
        metrics = server.metrics()
        in_the_store = kept()
        server.stop()
        in_the_store += kept()

    log, spans = server.log.read_text(), server.spans.read_text()
    assert log.count("run ") > 20, "there is nothing to look through"
    assert spans.count(f"chat {MODEL}") > 15
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
    for where in ("answers", "other answers"):
        found += leaks(where, everywhere[where], {"the name of a model at its provider": MODEL})
    assert not found
    if address != "memory":
        assert ANSWER.encode() in in_the_store, "the run's log holds the answer, and was looked through"


@pytest.mark.parametrize("content", ["no content", "content"])
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_agents_that_tell_what_they_were_asked(tmp_path: Path, log_format: str, content: str) -> None:
    with running(tmp_path, "agents", "memory", log_format, content) as server:
        told = Told()
        for model in ("raising", "raising-at-once", "unreachable", "careless", "refused", "nonsense"):
            body = TANSTACK.body(PROMPT, f"run of {model}", data={"model": model, "token": BYOK})
            told.hear(ask(server.url, body=body, headers={"authorization": HEADERS["authorization"]}), of_a_run=True)
            told.hear(ask(server.url, body=body, headers=OTHER_HEADERS))
        odd_requests(server.url, told)
        metrics = server.metrics()
        server.stop()
    log, spans = server.log.read_text(), server.spans.read_text()
    for kind in ("ValueError", "ExceptionGroup", "ConnectionError", "ZeroDivisionError", "LookupError"):
        assert (f"{kind}: [content]" in log) == (content == "no content"), kind
    assert "FileNotFoundError: [Errno 2] No such file or directory" in log
    assert "not a number: " in log
    assert "never retrieved" in log
    if content == "content":
        assert "ConnectionError: no **** for Bearer ****" in log
        assert PROMPT in log
    assert any(ANSWER in answer for answer in told.answers)
    everywhere = {"log": log, "spans": spans, "metrics": metrics, "answers": "\n".join(told.others)}
    found = [leak for where, text in everywhere.items() for leak in leaks(where, text, SECRETS)]
    if content == "content":
        del everywhere["log"]
    found += [leak for where, text in everywhere.items() for leak in leaks(where, text, CONTENT)]
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
    for one in (config, target, config.store, config.metrics):
        for written in (pickle.dumps, msgspec.json.encode, msgspec.to_builtins):
            with pytest.raises(TypeError):
                written(one)


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

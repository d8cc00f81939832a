"""What is off is not there; what is on sees what happens over HTTP and WebSocket."""

import json
import re
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from tokenwire.config import load
from tokenwire.errors import ConfigError
from tokenwire.middleware import MiddlewareStack
from tokenwire.observe.telemetry import Telemetry
from tokenwire.routing.watch import UNWATCHED
from tokenwire.runs.log import RunInfo
from tokenwire.runs.memory import MemoryLog, MemoryStore
from tokenwire.runs.sqlite import SqliteBackend
from tokenwire.testing import Reply, ThreadedUpstream

from ..conftest import Serve
from ..over_http.client import ask, get
from ..over_http.web_socket import Socket
from ..over_http.wires import RAIS, TANSTACK
from .test_scrape import MODEL, TOKEN, total

CONFIG = load(None, {"OPENAI_API_KEY": "sk-test"})


def on(**tables: object) -> Telemetry:
    return Telemetry(msgspec.structs.replace(CONFIG, **tables))


def test_what_is_off_is_not_on_the_way_of_a_token(tmp_path: Path) -> None:
    telemetry = on()
    stack, backend = MiddlewareStack(), SqliteBackend(tmp_path / "runs.db")
    assert telemetry.observer(stack) is stack
    assert telemetry.backend(backend) is backend
    assert telemetry.watch is UNWATCHED
    info = RunInfo("", "t", "r", "rais")
    log = MemoryLog(info, info.key, MemoryStore())
    assert telemetry.follow(log, "ask") is None
    assert telemetry.follow(log, "resume") is None
    assert telemetry.place() == ""


@pytest.mark.parametrize(
    ("table", "package", "extra"), [("metrics", "prometheus_client", "metrics"), ("traces", "opentelemetry", "otel")]
)
def test_an_extra_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, table: str, package: str, extra: str
) -> None:
    config = msgspec.structs.replace(
        CONFIG, **{table: {"metrics": on_port(), "traces": msgspec.structs.replace(CONFIG.traces, enabled=True)}[table]}
    )
    for module in list(sys.modules):
        if module.partition(".")[0] == package or module in ("tokenwire.observe.scrape", "tokenwire.observe.traces"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "tokenwire.observe.exposition", raising=False)
    monkeypatch.setattr(sys, "meta_path", [_Without(package), *sys.meta_path])
    with pytest.raises(ConfigError, match=rf"tokenwire\[{extra}\]"):
        Telemetry(config)


def on_port() -> object:
    from tokenwire.config.observe import Metrics

    return Metrics(port=0, host="127.0.0.1", token=None)


class _Without:
    """An import system in which a package is not installed."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_who_reads_and_how(upstream: ThreadedUpstream, serve: Serve) -> None:
    server = serve(MODEL + '[metrics]\ntoken_env = "SCRAPER"\n', SCRAPER=TOKEN)

    def page() -> str:
        return get(server.url, "/metrics", {"authorization": f"Bearer {TOKEN}"}).body.decode()

    upstream.reply(Reply(text=("Hel", "lo"), hold=True))
    with (
        ask(server.url, body=TANSTACK.body("Hi", "one")) as first,
        Socket(server.url, "?offset=-1&runId=one") as second,
    ):
        second.until("RUN_STARTED")
        first.until(b"RUN_STARTED")
        assert total(page(), "tokenwire_readers") == 2
        assert total(page(), "tokenwire_runs") == 1
        assert 'tokenwire_reads_total{how="ask"' in page()
        assert 'tokenwire_reads_total{how="join"' in page()
        upstream.received().release()
        first.read()
        second.rest()
    offset = TANSTACK.messages(first.body)[1].id
    assert offset is not None
    get(server.url, "/api/chat", {"last-event-id": offset}).read()
    assert re.search(r'tokenwire_reads_total\{how="resume",worker="\d+"\} 1\.0', page())
    assert total(page(), "tokenwire_runs") == 0
    assert total(page(), "tokenwire_first_token_seconds_count") == 1
    while total(page(), "tokenwire_relay_delay_seconds_count") < 1:  # counted once the reader is gone
        pass
    upstream.reply(Reply(text=("Hel", "lo"), hold=True))
    with ask(server.url, body={**TANSTACK.body("Hi", "two")}):
        ask(server.url, "/api/chat/runs/two/cancel")
    assert 'outcome="cancelled"' in page()


@pytest.mark.parametrize("path", ["/", "/models", "/nothing", "/web/app.js", "/api/chat"])
def test_every_answer_bears_its_request_s_id(serve: Serve, path: str) -> None:
    server = serve(MODEL)
    assert get(server.url, path, {"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert get(server.url, path, {"origin": "https://evil.example", "x-request-id": "mine-2"}).headers[
        "x-request-id"
    ] == ("mine-2")
    made = get(server.url, path, {"x-request-id": "not mine"}).headers["x-request-id"]
    assert re.fullmatch(r"req-[0-9a-f]{16}", made)


def test_a_socket_does(serve: Serve) -> None:
    with Socket(serve(MODEL).url, headers={"x-request-id": "mine-3"}) as socket:
        assert socket.connection.response is not None
        assert socket.connection.response.headers["x-request-id"] == "mine-3"


def test_a_stream_does_and_the_log_knows_it(upstream: ThreadedUpstream, serve: Serve) -> None:
    upstream.reply(Reply(text=("Hello",)), Reply(status=400, body="no"))
    server = serve(MODEL, "--log-format", "json")
    for run in ("good", "bad"):
        answer = ask(server.url, body=RAIS.body(), headers={"x-request-id": f"id-{run}"})
        answer.read()
        assert answer.headers["x-request-id"] == f"id-{run}"
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    ended = [line for line in lines if " ended: " in line["message"]]
    assert [line["message"].partition(" ended: ")[2].partition(",")[0] for line in ended] == [
        "stop",
        "upstream_rejected",
    ]
    assert all(line["run"] and line["thread"] for line in ended)
    assert [line["request"] for line in ended] == ["id-good", "id-bad"]


def test_content_is_announced_and_logged_where_it_is_wanted(upstream: ThreadedUpstream, serve: Serve) -> None:
    upstream.reply(Reply(text=("Bob", " says")))
    server = serve(MODEL + "[log]\ncontent = true\n")
    ask(server.url, body=TANSTACK.body("What does Alice say?", "r")).read()
    server.process.send_signal(signal.SIGINT)
    server.process.wait(20)
    log = server.log.read_text()
    assert log.count("content is on") == 1
    assert "asked: What does Alice say? run=r" in log
    assert "answered: Bob says run=r" in log

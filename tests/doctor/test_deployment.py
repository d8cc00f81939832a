"""What the doctor sees of a deployment, and of what a real nginx makes of it."""

import itertools
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from tokenwire.doctor import answering, streaming
from tokenwire.doctor.deployment import examine
from tokenwire.doctor.exchange import Deployment
from tokenwire.errors import ConfigError

from ..conftest import Serve
from ..server import Server
from . import caddy
from .conftest import CONFIG, Proxied, findings, levels
from .holding import holding
from .saying import saying

DOCS = Path(__file__).parents[2] / "docs"
GOOD = "proxy_http_version 1.1; proxy_set_header Connection '';"
UPGRADE = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
BUFFERED = f"{GOOD} proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;"
PACKED = f"{GOOD} gzip on; gzip_proxied any; gzip_min_length 0; gzip_types text/event-stream;"
IMPATIENT = f"{GOOD} proxy_read_timeout 1s;"


def test_with_nothing_in_between_all_is_well(server: Server) -> None:
    found = list(examine(Deployment(server.url), origin="https://app.example", slow=True))
    assert [finding for finding in found if finding.matters] == []
    assert {finding.check for finding in found if finding.level == "ok"} == {
        *("store", "streaming", "clock", "headers", "websocket", "cors", "silence")
    }


def test_a_proxy_that_lets_all_of_it_pass(proxied: Proxied) -> None:
    found = list(examine(Deployment(proxied(UPGRADE)), origin="https://app.example", slow=True))
    assert [finding for finding in found if finding.matters] == []


def test_the_documented_proxy_lets_all_of_it_pass(proxied: Proxied) -> None:
    block = (DOCS / "doctor.md").read_text().partition("location / {")[2].partition("}")[0]
    (target, *lines) = block.strip().splitlines()
    assert target.startswith("proxy_pass ")
    found = list(examine(Deployment(proxied("\n".join(lines))), origin="https://app.example", slow=True))
    assert [finding for finding in found if finding.matters] == []
    assert "websocket" in {finding.check for finding in found if finding.level == "ok"}


@pytest.mark.skipif(caddy.AVAILABLE is None, reason="there is no Caddy here")
@pytest.mark.parametrize("advised", ["", "@others not path /api/chat*\nencode @others gzip"])
def test_the_documented_caddy_lets_all_of_it_pass(server: Server, tmp_path: Path, advised: str) -> None:
    block = (DOCS / "doctor.md").read_text().partition("chat.example {")[2].partition("}")[0]
    site = block.replace("127.0.0.1:8000", urlsplit(server.url).netloc)
    with caddy.caddy(tmp_path, site + advised) as url:
        found = list(examine(Deployment(url), origin="https://app.example", slow=True))
    assert [finding for finding in found if finding.matters] == []
    assert "websocket" in {finding.check for finding in found if finding.level == "ok"}


def test_a_proxy_that_holds_streams_back(server: Server) -> None:
    with holding(server.url) as url:
        (finding,) = findings(url, "streaming")
    assert finding.level == "problem"
    assert "at once" in finding.seen
    assert "proxy_buffering off" in "\n".join(finding.todo)


def test_a_proxy_that_could_hold_them_back_and_does_not(proxied: Proxied) -> None:
    """nginx passes on what it has while its client reads as fast as the answer comes."""
    assert levels(proxied(BUFFERED), "streaming") == ["ok"]


def test_a_proxy_that_packs_streams(proxied: Proxied) -> None:
    (finding,) = findings(proxied(PACKED), "streaming")
    assert finding.level == "warning"
    assert "gzip" in finding.seen


def test_a_proxy_that_writes_its_own_cache_control(proxied: Proxied) -> None:
    url = proxied(f"{GOOD} proxy_hide_header Cache-Control; add_header Cache-Control public;")
    assert "warning" in levels(url, "streaming")


def test_a_proxy_without_patience(proxied: Proxied) -> None:
    assert levels(proxied(IMPATIENT), "silence", slow=True) == ["problem"]


def test_a_proxy_that_knows_no_web_sockets(proxied: Proxied) -> None:
    (finding,) = findings(proxied(GOOD), "websocket")
    assert finding.level == "warning"
    assert "Upgrade" in "\n".join(finding.todo)


@pytest.mark.parametrize("name", ["Authorization", "Last-Event-ID", "X-Run-Id"])
def test_a_proxy_that_swallows_a_header(proxied: Proxied, name: str) -> None:
    (finding,) = findings(proxied(f"{GOOD} proxy_set_header {name} '';"), "headers")
    assert finding.level == "problem"
    assert name in finding.seen


def test_a_proxy_of_the_last_century(proxied: Proxied) -> None:
    """nginx, unless it is told otherwise."""
    (finding,) = [finding for finding in findings(proxied(""), "headers") if finding.matters]
    assert "HTTP/1.0" in finding.seen
    assert finding.todo == ("nginx:  proxy_http_version 1.1;",)


@pytest.mark.parametrize(
    ("location", "check"),
    [
        (GOOD, "websocket"),
        (PACKED, "streaming"),
        (IMPATIENT, "silence"),
        ("", "headers"),
        (f"{GOOD} proxy_set_header Last-Event-ID '';", "headers"),
    ],
)
def test_what_is_advised_helps(proxied: Proxied, location: str, check: str) -> None:
    """Written to the letter, in place of what was there."""
    slow = check == "silence"
    (finding,) = [finding for finding in findings(proxied(location), check, slow=slow) if finding.matters]
    lines = itertools.takewhile(lambda line: line.startswith(("nginx:", " ")), finding.todo)
    advised = "\n".join(line.removeprefix("nginx:") for line in lines)
    assert advised
    assert finding not in findings(proxied(advised), check, slow=slow)


def test_a_proxy_that_says_whom_it_speaks_for(proxied: Proxied) -> None:
    url = proxied(f"{GOOD} proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;")
    assert levels(url, "headers") == ["ok", "note"]


def test_a_proxy_with_a_wildcard_of_its_own(proxied: Proxied) -> None:
    url = proxied(
        f"{GOOD} proxy_hide_header Access-Control-Allow-Origin; add_header Access-Control-Allow-Origin '*' always;"
    )
    assert levels(url, "cors", origin="https://app.example") == ["problem", "warning"]


def test_a_proxy_that_keeps_preflights_to_itself(proxied: Proxied) -> None:
    url = proxied(f"{GOOD} if ($request_method = OPTIONS) {{ return 204; }}")
    assert levels(url, "cors", origin="https://app.example") == ["problem"]


def test_a_proxy_that_lets_nobody_ask(proxied: Proxied) -> None:
    url = proxied(f"{GOOD} if ($request_method = POST) {{ return 405; }}")
    assert levels(url, "access") == ["warning"]


def test_an_origin_that_may_not_ask(server: Server) -> None:
    (finding,) = findings(server.url, "cors", origin="https://other.example")
    assert finding.level == "problem"
    assert any(line.startswith('origins = ["https://other.example"]') for line in finding.todo)


@pytest.mark.parametrize("path", ["/", "/api/chat", "/api/chat/"])
def test_the_address_of_chats_will_do(server: Server, path: str) -> None:
    assert levels(server.url + path, "store") == ["ok"]


@pytest.mark.parametrize(
    ("what", "answer", "level", "seen"),
    [
        ("health", (503, '{"status": "leaving"}'), "warning", "it is about to stop"),
        ("join", (503, '{"error": {"code": "store_unavailable"}}'), "problem", "it is away"),
        ("join", (404, "not here"), "warning", "a join was answered with 404"),
        ("ask", (413, "no"), "warning", "a question was answered with 413"),
    ],
)
def test_a_server_that_does_not_do_well(what: str, answer: tuple[int, str], level: str, seen: str) -> None:
    well = {
        "health": (200, '{"status": "ok"}'),
        "join": (404, '{"error": {"code": "unknown_run"}}'),
        "ask": (401, '{"error": {"code": "unauthorized"}}'),
    }
    with saying(**{**well, what: answer}) as url:
        (finding,) = [finding for finding in answering.check(Deployment(url)) if finding.matters]
    assert (finding.level, finding.seen) == (level, seen)
    assert finding.todo


def test_where_nobody_answers() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        with pytest.raises(ConfigError, match="cannot be reached"):
            list(examine(Deployment(f"http://127.0.0.1:{holder.getsockname()[1]}")))


def test_where_no_tls_is_spoken(server: Server) -> None:
    with pytest.raises(ConfigError, match="no TLS is spoken at that port"):
        list(examine(Deployment(server.url.replace("http:", "https:"))))


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("return 301 https://chat.example/healthz;", "leads to 'https://chat.example/healthz'"),
        ("return 502;", "answered by a proxy .502., which does not reach tokenwire"),
        ("return 404;", "give the address of its page"),
    ],
)
def test_where_a_proxy_answers_by_itself(proxied: Proxied, location: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        list(examine(Deployment(proxied(location))))


def test_where_it_is_not_known_by_its_name(serve: Serve) -> None:
    server = serve(f'{CONFIG}[server]\nhosts = ["chat.example"]\n')
    assert levels(server.url, "store") == ["ok"]
    with pytest.raises(ConfigError, match=r"add 127\.0\.0\.1 to \[server\] hosts"):
        list(examine(Deployment(server.url, {"host": "other.example"})))


@pytest.mark.parametrize(("hours", "level"), [(0, "ok"), (1, "warning"), (-1, "warning")])
def test_a_clock(server: Server, monkeypatch: pytest.MonkeyPatch, hours: int, level: str) -> None:
    ours = SimpleNamespace(time=lambda: time.time() + hours * 3600, monotonic=time.monotonic)
    monkeypatch.setattr(streaming, "time", ours)
    assert levels(server.url, "clock") == [level]


def test_where_somebody_else_answers(server: Server) -> None:
    with pytest.raises(ConfigError, match="is no tokenwire's"):
        list(examine(Deployment(f"{server.url}/elsewhere")))


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(ConfigError, match="--header") as refused:
        Deployment("https://ann:hunter2@chat.example")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", ["chat.example", "ftp://chat.example", "http://", "http://x:0", "http://x:99999", ""])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigError, match="is not an address"):
        Deployment(url)

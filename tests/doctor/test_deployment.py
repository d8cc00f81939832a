"""What the doctor sees of a deployment, and of what a real nginx makes of it."""

import socket
from pathlib import Path

import pytest

from tokenwire.doctor.deployment import examine
from tokenwire.doctor.exchange import Deployment
from tokenwire.errors import ConfigError

from ..server import Server
from .conftest import Proxied, findings, levels
from .holding import holding

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


def test_where_nobody_answers() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        with pytest.raises(ConfigError, match="cannot be reached"):
            list(examine(Deployment(f"http://127.0.0.1:{holder.getsockname()[1]}")))


def test_where_somebody_else_answers(server: Server) -> None:
    with pytest.raises(ConfigError, match="is no tokenwire's"):
        list(examine(Deployment(f"{server.url}/elsewhere")))


@pytest.mark.parametrize("url", ["chat.example", "ftp://chat.example", "http://", "http://x:0", "http://x:99999", ""])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigError, match="is not an address"):
        Deployment(url)

"""What every answer says to browsers and caches, whoever it is for and however it ends."""

import re
from collections.abc import Callable
from email.message import Message

import pytest

from tokenwire.testing import ThreadedUpstream

from .client import Answer, ask, exchange, get
from .conftest import MODEL, Start
from .test_origin import ALLOWED, preflight
from .wires import RAIS, TANSTACK, TANSTACK_NDJSON

AUTHORISED = f"""
model = "small"
{MODEL}
[auth]
anonymous = true

[server]
hosts = ["chat.example"]
"""

OPENING = {
    "connection": "upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
}

ANSWERS: dict[str, Callable[[str], Answer]] = {
    "a stream": lambda url: ask(url, body=RAIS.body()),
    "an NDJSON stream": lambda url: ask(url, TANSTACK_NDJSON.path, TANSTACK_NDJSON.body()),
    "a stream elsewhere": lambda url: ask(url, body=TANSTACK.body(), headers={"origin": ALLOWED}),
    "a preflight": lambda url: preflight(url, ALLOWED),
    "a page elsewhere": lambda url: ask(url, body=RAIS.body(), headers={"origin": "https://evil.example"}),
    "no JSON": lambda url: ask(url, body=b"{"),
    "no run": lambda url: get(url, "/api/chat?offset=-1&runId=nobody"),
    "no address": lambda url: get(url, "/nothing"),
    "no method": lambda url: ask(url, method="DELETE"),
    "the models": lambda url: get(url, "/models"),
    "the health": lambda url: get(url, "/healthz"),
    "the description": lambda url: get(url, "/openapi.json"),
    "a cancel": lambda url: ask(url, "/api/chat/runs/r/cancel", b""),
    "the page": lambda url: get(url, "/"),
    "a script": lambda url: get(url, "/web/app.js"),
    "a refused socket": lambda url: get(url, "/api/chat/ws", {**OPENING, "origin": "https://evil.example"}),
    "a socket nowhere": lambda url: get(url, "/nothing", OPENING),
    "no script": lambda url: get(url, "/web/nothing.js"),
}


def headers_of(what: str, url: str) -> Message:
    answer = ANSWERS[what](url)
    answer.read()
    return answer.headers


@pytest.fixture(scope="module")
def named(start: Start) -> str:
    """The URL of a server that has a name."""
    return start("named", AUTHORISED).url


@pytest.mark.parametrize("what", ANSWERS)
def test_every_answer_says_what_browsers_must_not_do(upstream: ThreadedUpstream, ordinary: str, what: str) -> None:
    headers = headers_of(what, ordinary)
    assert headers.get_all("x-content-type-options") == ["nosniff"]
    assert headers.get_all("referrer-policy") == ["no-referrer"]
    assert headers.get_all("cross-origin-resource-policy") == ["same-origin"]
    (policy,) = headers.get_all("content-security-policy") or []
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("what", ANSWERS)
def test_every_answer_names_its_request(upstream: ThreadedUpstream, ordinary: str, what: str) -> None:
    if what != "a preflight":
        assert headers_of(what, ordinary)["x-request-id"]


@pytest.mark.parametrize("what", ANSWERS)
def test_no_cache_mixes_up_who_an_answer_is_shared_with(upstream: ThreadedUpstream, ordinary: str, what: str) -> None:
    assert "origin" in (headers_of(what, ordinary)["vary"] or "").lower()


@pytest.mark.parametrize("what", ANSWERS)
def test_nobody_is_shared_with_by_a_wildcard(upstream: ThreadedUpstream, ordinary: str, what: str) -> None:
    headers = headers_of(what, ordinary)
    assert headers["access-control-allow-origin"] in (None, ALLOWED)
    assert "*" not in (headers["access-control-expose-headers"] or "")
    assert "*" not in (headers["access-control-allow-headers"] or "")


def test_a_page_elsewhere_can_read_what_it_needs(upstream: ThreadedUpstream, ordinary: str) -> None:
    exposed = headers_of("a stream elsewhere", ordinary)["access-control-expose-headers"].lower()
    wanted = {"x-run-id", "retry-after", "ratelimit", "ratelimit-policy", "x-request-id"}
    assert wanted <= {name.strip() for name in exposed.split(",")}


def test_the_page_runs_nothing_but_its_own_files(ordinary: str) -> None:
    page = get(ordinary, "/")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "connect-src 'self'" in policy
    text = page.read().decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", text)


def test_a_preflight_does_not_repeat_what_are_no_names(ordinary: str) -> None:
    said = exchange(
        ordinary,
        b"OPTIONS /api/chat HTTP/1.1\r\nhost: x\r\norigin: https://app.example\r\nconnection: close\r\n"
        b"access-control-request-method: POST\r\naccess-control-request-headers: <x>\xff\r\n\r\n",
    )
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"access-control-allow-headers" not in said


@pytest.mark.parametrize("path", ["/", "/models", "/healthz", "/api/chat?offset=-1&runId=r", "/web/app.js"])
def test_a_rebound_name_reads_nothing_of_a_server_for_this_machine_alone(ordinary: str, path: str) -> None:
    """A page's own GETs carry no Origin."""
    assert get(ordinary, path, {"host": "evil.example"}).status == 403


def test_a_rebound_name_asks_nothing(upstream: ThreadedUpstream, ordinary: str, named: str) -> None:
    for url in (ordinary, named):
        headers = {"host": "evil.example", "origin": "http://evil.example"}
        assert ask(url, body=RAIS.body(), headers=headers).status == 403
    assert upstream.requests == []


def test_the_servers_name_is_its_own(upstream: ThreadedUpstream, named: str) -> None:
    headers = {"host": "chat.example", "origin": "https://chat.example"}
    assert RAIS.finished(ask(named, body=RAIS.body(), headers=headers).read())
    assert get(named, "/models", {"host": "chat.example"}).status == 200
    assert get(named, "/models").status == 200
    assert get(named, "/models", {"host": "other.example"}).status == 403


def test_a_socket_is_refused_by_the_same_names(upstream: ThreadedUpstream, ordinary: str) -> None:
    opening = (
        b"GET /api/chat/ws HTTP/1.1\r\nhost: %s\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n"
    )
    for host, origin in ((b"evil.example", b""), (b"x", b"origin: https://evil.example\r\n")):
        assert exchange(ordinary, opening % (host, origin)).startswith(b"HTTP/1.1 403 ")

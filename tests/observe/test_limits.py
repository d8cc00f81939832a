"""Whoever looks at the metrics sees which limits people run into."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tokenwire.server.socket import MAX_RUNS
from tokenwire.testing import Reply, ThreadedUpstream

from ..conftest import Serve
from ..over_http.client import ask, exchange, get
from ..over_http.web_socket import Socket
from ..over_http.wires import TANSTACK
from ..server import Server
from .test_scrape import MODEL, TOKEN

METRICS = '[metrics]\ntoken_env = "SCRAPER"\n'
TOOL = {"name": "look", "parameters": {}}
Limited = Callable[[str], Server]


@pytest.fixture
def limited(serve: Serve) -> Limited:
    """A server with these tables."""
    return lambda tables: serve(MODEL + METRICS + tables, SCRAPER=TOKEN)


def hits(server: Server) -> dict[str, float]:
    page = get(server.url, "/metrics", {"authorization": f"Bearer {TOKEN}"}).body.decode()
    found = re.findall(r'tokenwire_limits_hit_total\{kind="(\w+)",worker="\d+"\} (\S+)', page)
    return {kind: float(count) for kind, count in found}


def in_chunks(data: bytes) -> Iterator[bytes]:
    yield data


@pytest.mark.parametrize(
    ("limit", "body", "kind"),
    [
        ("body_bytes = 100", TANSTACK.body("x" * 100), "request_too_large"),
        ("body_bytes = 100", in_chunks(b"x" * 101), "request_too_large"),
        ("depth = 5", b"[" * 6, "bad_json"),
        ("messages = 1", TANSTACK.body(messages=TANSTACK.body()["messages"] * 2), "too_many_messages"),
        ("characters = 10", TANSTACK.body("x" * 11), "conversation_too_long"),
        ("tools = 1", TANSTACK.body(tools=[TOOL, TOOL]), "too_many_tools"),
    ],
    ids=["body", "body in chunks", "depth", "messages", "characters", "tools"],
)
def test_what_a_request_may_be(limited: Limited, limit: str, body: Any, kind: str) -> None:
    server = limited(f"[limits]\n{limit}\n")
    assert hits(server) == {}
    assert ask(server.url, body=body).status in (400, 413)
    assert hits(server) == {kind: 1}


def test_a_body_that_does_not_come(limited: Limited) -> None:
    server = limited("[limits]\nbody_seconds = 0.1\n")
    head = b"POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n"
    assert b" 408 " in exchange(server.url, head)
    assert hits(server) == {"request_timeout": 1}


def test_a_full_server_and_an_answer_with_many_readers(limited: Limited, upstream: ThreadedUpstream) -> None:
    server = limited("[limits]\nruns = 1\nreaders = 1\n")
    upstream.reply(Reply(text=("Hel", "lo"), hold=True))
    with ask(server.url, body=TANSTACK.body("Hi", "one")) as first:
        first.until(b"RUN_STARTED")
        assert ask(server.url, body=TANSTACK.body("Hi", "two")).status == 503
        assert get(server.url, "/api/chat?offset=-1&runId=one").status == 503
        assert get(server.url, "/api/chat?offset=-1&runId=one").status == 503
        assert hits(server) == {"runs": 1, "readers": 2}


def test_many_runs_on_one_socket(limited: Limited, upstream: ThreadedUpstream) -> None:
    server = limited("")
    upstream.default = Reply(text=("Hel", "lo"), hold=True)
    with Socket(server.url) as socket:
        for number in range(MAX_RUNS + 1):
            socket.send(TANSTACK.body("Hi", f"run-{number}"))
        socket.until("RUN_ERROR")
        assert hits(server) == {"connection": 1}


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("[rates.per_ip]\nrequests_per_minute = 1\n", "rate_limited"),
        ("[rates.per_principal]\nconcurrent_runs = 1\n", "too_many_runs"),
        ("[budgets.per_principal]\nday_tokens = 300\n", "budget_exhausted"),
    ],
)
def test_what_somebody_may_take(limited: Limited, upstream: ThreadedUpstream, table: str, kind: str) -> None:
    server = limited(table)
    upstream.default = Reply(text=("Hel", "lo"), hold=True)
    with ask(server.url, body=TANSTACK.body("Hi")) as first:
        first.until(b"RUN_STARTED")
        assert hits(server) == {}
        assert ask(server.url, body=TANSTACK.body("Hi")).status in (402, 429)
        assert hits(server) == {kind: 1}


def test_a_budget_that_ends_in_mid_answer(limited: Limited, upstream: ThreadedUpstream) -> None:
    server = limited("[budgets.per_principal]\nday_tokens = 300\n")
    upstream.reply(Reply(text=["word "] * 600))
    answer = ask(server.url, body=TANSTACK.body("Hi"))
    assert b"budget_exhausted" in answer.read()
    assert hits(server) == {"budget_exhausted": 1}

"""CORS: a browser's page may ask from the origins that are allowed, and from nowhere else."""

from collections.abc import Callable

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from .client import Answer, ask, exchange, get
from .wires import RAIS, TANSTACK

ALLOWED = "https://app.example"
ELSEWHERE = [
    "https://evil.example",
    "https://app.example.evil.example",
    "https://notapp.example",
    "http://app.example",
    "https://app.example:8443",
    "https://app.example:443",
    "https://APP.example",
    "https://user@app.example",
    "https://app.example/",
    "http://localhost:5173",
    "null",
    "file://",
    "chrome-extension://abcdefgh",
    "",
    "http://[",
    "http://[::1",
    "http://]",
    "://",
]
HEADERS = "content-type,x-run-id,authorization,last-event-id,x-tenant-id,x-session-id,x-byok-openai"


def preflight(url: str, origin: str, method: str = "POST", path: str = "/api/chat") -> Answer:
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": HEADERS,
    }
    return ask(url, path, None, headers, method="OPTIONS")


def shared_with(answer: Answer, origin: str) -> bool:
    """Whether a browser shows an answer to a page, and keeps it from every other page that asks the same."""
    if answer.headers["access-control-allow-origin"] is None:
        return False
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "origin" in answer.headers["vary"].lower()
    return True


@pytest.mark.parametrize(
    "path", ["/api/chat", "/api/chat/ndjson", "/api/chat/rais", "/api/chat/tanstack", "/api/chat/runs/r/cancel"]
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_preflight_allows_what_the_hooks_send(ordinary: str, path: str, method: str) -> None:
    answer = preflight(ordinary, ALLOWED, method, path)
    assert answer.status in (200, 204)
    assert shared_with(answer, ALLOWED)
    allowed = {name.strip() for name in answer.headers["access-control-allow-headers"].lower().split(",")}
    assert set(HEADERS.split(",")) <= allowed
    assert {"GET", "POST"} <= {name.strip() for name in answer.headers["access-control-allow-methods"].split(",")}


def test_an_answer_is_shared_with_an_allowed_origin(upstream: ThreadedUpstream, ordinary: str) -> None:
    answer = ask(ordinary, body=TANSTACK.body(), headers={"origin": ALLOWED, "x-run-id": "r", "x-tenant-id": "t"})
    assert TANSTACK.finished(answer.read())
    assert shared_with(answer, ALLOWED)
    assert "x-run-id" in answer.headers["access-control-expose-headers"].lower()


def test_what_is_shared_with_one_is_not_shared_with_the_next(ordinary: str) -> None:
    for path in ("/nothing", "/api/chat", "/healthz"):
        assert shared_with(get(ordinary, path, {"origin": ALLOWED}), ALLOWED)
        assert get(ordinary, path).headers["access-control-allow-origin"] is None


ERRORS: dict[str, tuple[int, Callable[[str], Answer]]] = {
    "bad JSON": (400, lambda url: ask(url, body=b"{", headers={"origin": ALLOWED})),
    "no messages": (422, lambda url: ask(url, body={}, headers={"origin": ALLOWED})),
    "unknown run": (404, lambda url: get(url, "/api/chat?offset=-1&runId=nobody", {"origin": ALLOWED})),
    "unknown path": (404, lambda url: get(url, "/nothing", {"origin": ALLOWED})),
    "wrong method": (405, lambda url: ask(url, body=b"", headers={"origin": ALLOWED}, method="PUT")),
    "too large": (413, lambda url: ask(url, body=b" " * (4 * 1024 * 1024 + 1), headers={"origin": ALLOWED})),
    "nothing to resume": (
        204,
        lambda url: ask(url, body=RAIS.body(), headers={"origin": ALLOWED, "last-event-id": "AAAAAAAAAAAA:1"}),
    ),
}


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_shared_too(ordinary: str, error: str) -> None:
    status, provoke = ERRORS[error]
    answer = provoke(ordinary)
    assert answer.status == status
    assert shared_with(answer, ALLOWED)


def test_a_refusal_of_the_model_is_shared_with_its_time(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.reply(Reply(status=429, headers={"retry-after": "7"}))
    answer = ask(ordinary, body=RAIS.body(), headers={"origin": ALLOWED})
    assert answer.status == 429
    assert shared_with(answer, ALLOWED)
    assert "retry-after" in answer.headers["access-control-expose-headers"].lower()


@pytest.mark.parametrize("origin", ELSEWHERE)
def test_a_question_from_elsewhere_is_refused_before_the_model_is_asked(
    upstream: ThreadedUpstream, ordinary: str, origin: str
) -> None:
    """Also one that needs no preflight: CORS keeps a page from reading, not from causing."""
    simple = {"origin": origin, "content-type": "text/plain"}
    answer = ask(ordinary, body=RAIS.body(), headers=simple)
    assert answer.status == 403
    assert answer.json["error"]["code"] == "forbidden_origin"
    assert not shared_with(answer, origin)
    assert RAIS.finished(ask(ordinary, body=RAIS.body()).read())
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("origin", ELSEWHERE)
def test_a_preflight_from_elsewhere_is_refused(ordinary: str, origin: str) -> None:
    answer = preflight(ordinary, origin)
    assert answer.status == 403
    assert not shared_with(answer, origin)


def test_an_origin_that_is_no_text_is_refused(upstream: ThreadedUpstream, ordinary: str) -> None:
    said = exchange(
        ordinary,
        b"POST /api/chat HTTP/1.1\r\nhost: x\r\norigin: http://\xff\xfe\r\nconnection: close\r\n"
        b"content-length: 2\r\n\r\n{}",
    )
    assert said.startswith(b"HTTP/1.1 403 ")


def test_the_servers_own_origin_is_allowed(upstream: ThreadedUpstream, ordinary: str) -> None:
    assert RAIS.finished(ask(ordinary, body=RAIS.body(), headers={"origin": ordinary}).read())


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:8080", "https://localhost", "http://localhost"],
)
def test_without_a_file_a_page_of_this_machine_may_ask(upstream: ThreadedUpstream, bare: str, origin: str) -> None:
    assert shared_with(preflight(bare, origin), origin)
    answer = ask(bare, body=RAIS.body(), headers={"origin": origin})
    assert RAIS.finished(answer.read())
    assert shared_with(answer, origin)


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example",
        "http://localhost.evil.example",
        "http://evil.example:5173",
        "http://localhost:5173.evil.example",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "http://xlocalhost:5173",
        "http://127.0.0.2:5173",
        "http://0.0.0.0:5173",
        "http://192.168.0.1",
        "http://localhost:",
        "http://localhost:5173/",
        "null",
        "file://",
    ],
)
def test_without_a_file_nobody_else_may(upstream: ThreadedUpstream, bare: str, origin: str) -> None:
    answer = ask(bare, body=RAIS.body(), headers={"origin": origin})
    assert answer.status == 403
    assert upstream.requests == []


def test_a_file_without_origins_allows_none(upstream: ThreadedUpstream, strict: str) -> None:
    assert ask(strict, body=RAIS.body(), headers={"origin": "http://localhost:5173"}).status == 403
    assert preflight(strict, "http://localhost:5173").status == 403
    assert upstream.requests == []

"""Clients that do not play by HTTP's rules, or play by old ones."""

import pytest

from tokenwire.testing import ThreadedUpstream

from .client import ask, connect, exchange, get
from .test_bad_json import is_clear, is_unharmed
from .wires import RAIS, TANSTACK

QUESTION = b'{"messages":[{"role":"user","content":"Hello"}]}'


def post(*headers: bytes, body: bytes = QUESTION, version: bytes = b"1.1", path: bytes = b"/api/chat") -> bytes:
    """A request, byte by byte."""
    lines = [b"POST %b HTTP/%b" % (path, version), b"host: x", b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


CLOSE = b"connection: close"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/chat", {"GET", "POST"}),
        ("DELETE", "/api/chat", {"GET", "POST"}),
        ("PATCH", "/api/chat/ndjson", {"GET", "POST"}),
        ("GET", "/api/chat/runs/r/cancel", {"POST"}),
        ("POST", "/healthz", {"GET"}),
        ("POST", "/models", {"GET"}),
        ("POST", "/", {"GET"}),
        ("OPTIONS", "/api/chat", {"GET", "POST"}),
    ],
)
def test_a_wrong_method(ordinary: str, method: str, path: str, allowed: set[str]) -> None:
    answer = ask(ordinary, path, b"", method=method)
    assert answer.status == 405
    assert {name.strip() for name in answer.headers["allow"].split(",")} - {"HEAD"} == allowed
    assert answer.json["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api",
        "/api/chat/",
        "/api/chat/other",
        "/api/chat/runs/r",
        "/%2e%2e/etc/passwd",
        "/web/nothing.js",
        "/web/../app.py",
        "/web/%2e%2e/app.py",
        "/web/..%2fapp.py",
        "/web/%00",
        "/" + "x" * 5000,
        "//api/chat",
    ],
)
def test_an_unknown_path(ordinary: str, path: str) -> None:
    answer = get(ordinary, path)
    assert answer.status == 404
    assert is_clear(answer)
    assert answer.json["error"]["code"] == "not_found"


HEAD = b"POST /api/chat HTTP/1.1\r\nhost: x\r\n"
NO_HTTP = {
    "a word": b"Hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "a version to come": b"GET /healthz HTTP/9.9\r\n\r\n",
    "a path that is no ASCII": b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
    "a space before a colon": b"GET /healthz HTTP/1.1\r\nhost : x\r\n\r\n",
    "a null byte": b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: a\x00b\r\n\r\n",
    "a length below nothing": HEAD + b"content-length: -1\r\n\r\n",
    "a length of two numbers": HEAD + b"content-length: 1, 2\r\n\r\n{",
    "a length beyond counting": HEAD + b"content-length: 99999999999999999999999\r\n\r\n{",
    "two lengths": HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "a length and chunks": HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk without a size": HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("what", NO_HTTP)
def test_what_is_no_http(upstream: ThreadedUpstream, ordinary: str, what: str) -> None:
    said = exchange(ordinary, NO_HTTP[what])
    assert said.startswith(b"HTTP/1.1 400 ")
    assert len(said) < 500
    assert is_unharmed(ordinary)


def test_a_body_over_the_limit(upstream: ThreadedUpstream, strict: str) -> None:
    answer = ask(strict, body=b" " * 20_001)
    assert answer.status == 413
    assert is_clear(answer)
    assert answer.headers["connection"] == "close"
    assert answer.json["error"]["message"] == "The request body is larger than 20000 bytes."
    assert upstream.requests == []
    assert is_unharmed(strict)


def test_a_body_of_the_limit(upstream: ThreadedUpstream, strict: str) -> None:
    head, tail = b'{"x":"', b'","messages":[{"role":"user","content":"Hello"}]}'
    body = head + b"x" * (20_000 - len(head) - len(tail)) + tail
    assert len(body) == 20_000
    assert RAIS.finished(ask(strict, body=body).read())


def test_a_chunked_body_over_the_limit(upstream: ThreadedUpstream, strict: str) -> None:
    chunk = b"2710\r\n" + b" " * 10_000 + b"\r\n"
    said = exchange(strict, HEAD + b"transfer-encoding: chunked\r\n\r\n" + 2 * chunk + b"1\r\n \r\n0\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 413 ")
    assert upstream.requests == []
    assert is_unharmed(strict)


def test_a_chunked_body(upstream: ThreadedUpstream, ordinary: str) -> None:
    answer = ask(ordinary, body=iter([QUESTION[:7], QUESTION[7:20], QUESTION[20:]]))
    assert RAIS.finished(answer.read())


@pytest.mark.parametrize("body", [b"", b'{"messages":[{"ro'])
@pytest.mark.parametrize("framing", [b"content-length: 100\r\n\r\n%b", b"transfer-encoding: chunked\r\n\r\n64\r\n%b"])
def test_half_a_body_and_silence(upstream: ThreadedUpstream, strict: str, framing: bytes, body: bytes) -> None:
    said = exchange(strict, b"POST /api/chat HTTP/1.1\r\nhost: x\r\n" + framing % body)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in said
    assert b'{"error":{"code":"request_timeout","message":' in said
    assert upstream.requests == []
    assert is_unharmed(strict)


def test_a_body_that_trickles_in_is_given_up(upstream: ThreadedUpstream, strict: str) -> None:
    """The time is for the whole body, not for each of its bytes."""
    with connect(strict) as client:
        client.sendall(b"POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-length: 15000\r\n\r\n")
        client.settimeout(0.02)
        said = b""
        while not said:
            client.sendall(b" ")
            try:
                said = client.recv(65536)
            except TimeoutError:
                continue
    assert said.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_closes_in_the_middle_of_its_body(upstream: ThreadedUpstream, ordinary: str) -> None:
    for half in (b"", QUESTION[:10]):
        said = exchange(ordinary, post(body=QUESTION)[: -len(QUESTION)] + half, half_close=True)
        assert not said.startswith(b"HTTP/1.1 2")
    assert is_unharmed(ordinary)
    assert len(upstream.requests) == 1


def test_requests_in_a_row_are_answered_in_a_row(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("first")
    upstream.say("second")
    said = exchange(ordinary, post() + b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" + post(CLOSE))
    first, health, second = (said.index(text) for text in (b'"first"', b'{"status":"ok"}', b'"second"'))
    assert first < health < second
    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert len(upstream.requests) == 2


def test_a_connection_serves_one_question_after_the_other(upstream: ThreadedUpstream, ordinary: str) -> None:
    with connect(ordinary) as client:
        for _ in range(3):
            client.sendall(post())
            said = b""
            while not said.endswith(b"0\r\n\r\n"):
                said += client.recv(65536)
            assert b'{"type":"done"}' in said
    assert len(upstream.requests) == 3


def test_line_ends_after_a_body_are_not_the_beginning_of_a_request(upstream: ThreadedUpstream, ordinary: str) -> None:
    said = exchange(ordinary, post() + b"\r\n\r\n" + post(CLOSE))
    assert said.count(b"HTTP/1.1 200 OK") == 2


def test_http_1_0_is_told_its_errors(ordinary: str) -> None:
    said = exchange(ordinary, post(version=b"1.0", body=b"{"))
    assert b" 400 " in said.partition(b"\r\n")[0]
    assert said.endswith(b'{"error":{"code":"bad_json","message":"The request body is not valid JSON."}}')


def test_a_connection_is_closed_when_the_client_asks_for_it(upstream: ThreadedUpstream, ordinary: str) -> None:
    said = exchange(ordinary, post(CLOSE)).lower()
    connections = [line for line in said.partition(b"\r\n\r\n")[0].split(b"\r\n") if line.startswith(b"connection:")]
    assert connections == [b"connection: close"]


def test_a_client_that_waits_to_be_asked_for_its_body(upstream: ThreadedUpstream, ordinary: str) -> None:
    with connect(ordinary) as client:
        client.sendall(post(b"expect: 100-continue", CLOSE)[: -len(QUESTION)])
        assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        client.sendall(QUESTION)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_flood_of_headers_is_not_swallowed(upstream: ThreadedUpstream, ordinary: str) -> None:
    with connect(ordinary) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
        line = b"x-flood: " + b"x" * 8000 + b"\r\n"
        try:
            for _ in range(1000):
                client.sendall(line)
            client.sendall(b"connection: close\r\n\r\n")
            said = client.recv(65536)
        except ConnectionError:
            said = b""
    assert b" 200 " not in said
    assert is_unharmed(ordinary)


@pytest.mark.parametrize("value", [b"a\x01b", b"\x7f", b"\xff\xfe", b"x" * 50_000, b"\t", b"%0d%0aset-cookie:%20a=b"])
def test_odd_values_of_headers(upstream: ThreadedUpstream, ordinary: str, value: bytes) -> None:
    for name in (b"last-event-id", b"x-run-id", b"authorization", b"content-type", b"accept", b"x-byok-openai"):
        said = exchange(ordinary, post(name + b": " + value, CLOSE))
        status = said[9:12]
        assert status in (b"200", b"204", b"400")
        assert b"set-cookie" not in said.lower()
    assert is_unharmed(ordinary)


def test_many_half_requests_keep_nobody_out(upstream: ThreadedUpstream, ordinary: str) -> None:
    clients = [connect(ordinary) for _ in range(100)]
    for number, client in enumerate(clients):
        client.sendall(post()[: number + 1])
    assert is_unharmed(ordinary)
    for client in clients:
        client.close()
    assert is_unharmed(ordinary)


def test_a_question_may_be_called_anything(upstream: ThreadedUpstream, ordinary: str) -> None:
    """Content types differ by client, and a page that lies about one was stopped by its origin."""
    for content_type in ("text/plain", "application/json; charset=utf-8", "zzz, application/json", ""):
        assert RAIS.finished(ask(ordinary, body=QUESTION, headers={"content-type": content_type}).read())


def test_a_run_is_known_by_its_body_not_by_its_header(upstream: ThreadedUpstream, ordinary: str) -> None:
    question = TANSTACK.body()
    answer = ask(ordinary, body=question, headers={"x-run-id": "another"})
    assert TANSTACK.finished(answer.read())
    assert answer.headers["x-run-id"] == question["runId"]

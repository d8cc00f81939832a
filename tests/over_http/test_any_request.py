"""Whatever bytes a request is made of, it is answered, at once and below 500, and nothing is logged as our fault."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tokenwire.testing import ThreadedUpstream

from .client import exchange
from .conftest import MODEL, Start
from .wires import LEGACY, RAIS, TANSTACK

GUARDED = f"""
model = "small"
{MODEL}
[cors]
origins = ["https://app.example"]

[auth]
keys = true
cookie = "session"

[auth.jwt]
issuer = "https://login.example"
audience = "tokenwire"
secret_env = "CANARY"
"""

PATHS = [
    *(
        "/",
        "/web/app.js",
        "/models",
        "/usage",
        "/healthz",
        "/openapi.json",
        "/metrics",
        "/api/chat",
        "/api/chat/ndjson",
    ),
    *("/api/chat/rais", "/api/chat/tanstack", "/api/chat/ws", "/api/chat/ticket", "/api/chat/runs/r/cancel"),
]
NAMES = [
    *("authorization", "x-api-key", "cookie", "origin", "host", "last-event-id", "x-run-id", "x-request-id"),
    *(
        "accept",
        "content-type",
        "x-forwarded-for",
        "forwarded",
        "sec-fetch-site",
        "sec-websocket-protocol",
        "traceparent",
    ),
]
QUESTIONS = [json.dumps(wire.body()).encode() for wire in (RAIS, TANSTACK, LEGACY)]

# what would end the line, and so the part that it is to be a part of
one_line = st.binary(max_size=80).map(lambda data: data.replace(b"\r", b"").replace(b"\n", b""))
long_line = st.tuples(one_line, st.integers(1, 200)).map(lambda pair: pair[0][:80] * pair[1])
methods = st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"DELETE", b"PUT", b"PATCH", b"TRACE", b"QUERY"])
paths = st.sampled_from(PATHS).map(str.encode)
targets = st.one_of(
    st.tuples(paths, one_line).map(lambda pair: pair[0] + b"?" + pair[1]),
    st.tuples(paths, one_line).map(b"/".join),
    st.tuples(
        paths, st.sampled_from([b"offset", b"runId", b"stream", b"by", b"since", b"ticket", b"format"]), one_line
    ).map(lambda three: b"%s?%s=%s" % three),
    one_line.map(b"/".__add__),
    one_line,
)
headers = st.lists(
    st.tuples(st.one_of(st.sampled_from(NAMES).map(str.encode), one_line), st.one_of(one_line, long_line)), max_size=4
)
bodies = st.one_of(st.just(b""), st.sampled_from(QUESTIONS), st.binary(max_size=200))

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
jose_headers = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.one_of(st.sampled_from(["none", "None", "HS256", "RS256", "HS512", "dir", ""]), json_values),
        **dict.fromkeys(("kid", "typ", "crit", "jwk", "jku", "x5u", "b64"), json_values),
    },
)
claims = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.one_of(st.just("https://login.example"), json_values),
        "aud": st.one_of(st.just("tokenwire"), json_values),
        **dict.fromkeys(("exp", "nbf", "iat", "sub"), st.one_of(st.integers(0, 2**70), json_values)),
    },
)


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def token(header: Any, payload: Any, signature: bytes) -> bytes:
    return f"{encoded(header)}.{encoded(payload)}.{base64.urlsafe_b64encode(signature).decode()}".encode()


jwts = st.builds(token, st.one_of(jose_headers, json_values), st.one_of(claims, json_values), st.binary(max_size=40))
keys = st.builds(
    lambda public, secret: f"tw_{public}_{secret}".encode(),
    st.text("abcXYZ019_-", max_size=14),
    st.text("abcXYZ019_-", max_size=50),
)
tokens = st.one_of(jwts, keys, one_line, long_line)
ways: list[Callable[[bytes], list[tuple[bytes, bytes]]]] = [
    lambda shown: [(b"authorization", b"Bearer " + shown)],
    lambda shown: [(b"authorization", shown)],
    lambda shown: [(b"authorization", b"Bearer " + shown)] * 2,
    lambda shown: [(b"x-api-key", shown)],
    lambda shown: [(b"cookie", b"session=" + shown)],
    lambda shown: [(b"cookie", b"session=" + shown), (b"origin", b"https://app.example")],
]

any_request = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def guarded(start: Start, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a server that asks everybody who they are."""
    return start("guarded", GUARDED, "--store", f"sqlite:///{tmp_path_factory.mktemp('guarded') / 'runs.db'}").url


def status(url: str, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> int:
    """The status of the answer, which has come to its end."""
    head = [b"%s %s HTTP/1.1" % (method, target)]
    head += [b"%s: %s" % header for header in headers]
    if not any(name.lower() == b"host" for name, _ in headers):
        head.append(b"host: localhost")
    head += [b"connection: close", b"content-length: %d" % len(body), b"", body]
    said = exchange(url, b"\r\n".join(head))
    version, _, rest = said.partition(b" ")
    assert version == b"HTTP/1.1", said[:200]
    return int(rest[:3])


@any_request
@given(methods, targets, headers, bodies)
@example(b"GET", b"/api/chat?offset=-1&runId=%ff%00", [], b"")
@example(b"POST", b"/api/chat/runs/%2e%2e/%00/cancel", [], b"")
@example(b"GET", b"/web/../../etc/passwd", [], b"")
@example(b"GET", b"/web/%00", [], b"")
@example(b"GET", b"/usage?since=9999-12-31T23:59:59-23:59", [], b"")
def test_any_request_is_answered(
    upstream: ThreadedUpstream,
    ordinary: str,
    method: bytes,
    target: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
) -> None:
    assert status(ordinary, method, target, headers, body) < 500


@any_request
@given(methods, targets, headers, bodies)
def test_and_by_a_server_that_asks_who_it_is(
    upstream: ThreadedUpstream,
    guarded: str,
    method: bytes,
    target: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
) -> None:
    assert status(guarded, method, target, headers, body) < 500
    assert upstream.requests == []


@any_request
@given(tokens, st.sampled_from(ways), st.sampled_from([b"/api/chat", b"/models", b"/usage", b"/api/chat/ticket"]))
@example(
    token({"alg": "none"}, {"iss": "https://login.example", "aud": "tokenwire", "exp": 2**40}, b""), ways[0], b"/models"
)
@example(b"tw_" + b"a" * 12 + b"_" + b"b" * 43, ways[0], b"/models")
def test_no_token_that_was_not_given_opens_anything(
    upstream: ThreadedUpstream,
    guarded: str,
    shown: bytes,
    way: Callable[[bytes], list[tuple[bytes, bytes]]],
    path: bytes,
) -> None:
    method, body = (b"GET", b"") if path in (b"/models", b"/usage") else (b"POST", QUESTIONS[0])
    # 400: no header at all, as HTTP has it; 403: a cookie that a page elsewhere may have caused to be sent
    assert status(guarded, method, path, way(shown), body) in (400, 401, 403, 431)
    assert upstream.requests == []

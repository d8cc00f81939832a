"""What a connection brings to show who is asking."""

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from tokenwire.errors import Code, Refusal
from tokenwire.gate.credentials import (
    MAX_CREDENTIAL,
    changes_state,
    chosen_subprotocol,
    credential_of,
    with_bearer,
)


def http(*headers: tuple[str, str], method: str = "POST", query: str = "") -> dict[str, Any]:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {"type": "http", "method": method, "path": "/api/chat", "headers": raw, "query_string": query.encode()}


def socket(*headers: tuple[str, str], subprotocols: tuple[str, ...] = (), query: str = "") -> dict[str, Any]:
    return {**http(*headers, query=query), "type": "websocket", "subprotocols": list(subprotocols)}


def brought(scope: dict[str, Any], cookie: str | None = None) -> tuple[str, str] | None:
    credential = credential_of(HTTPConnection(scope), cookie)
    return None if credential is None else (credential.source, credential.token.reveal())


def bearer(token: str) -> str:
    return "tokenwire.bearer." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("scope", "credential"),
    [
        (http(("authorization", "Bearer t1")), ("bearer", "t1")),
        (http(("authorization", "bearer   t1 ")), ("bearer", "t1")),
        (http(("authorization", "Basic dXNlcg==")), ("scheme", "Basic dXNlcg==")),
        (http(("x-api-key", "t2")), ("x-api-key", "t2")),
        (http(("authorization", "Bearer t1"), ("x-api-key", "t2"), ("cookie", "s=t3")), ("bearer", "t1")),
        (http(("x-api-key", "t2"), ("cookie", "s=t3")), ("x-api-key", "t2")),
        (http(("cookie", "other=1; s=t3")), ("cookie", "t3")),
        (http(("cookie", "other=1")), None),
        (http(("cookie", "other=1; other=2; ss=4; s=t3")), ("cookie", "t3")),
        (http(), None),
        (http(query="token=t&key=t&access_token=t&api_key=t&ticket=t"), None),
        (socket(query="token=t&key=t&access_token=t&authorization=t"), None),
        (socket(subprotocols=("tokenwire", bearer("a.b.c"))), ("subprotocol", "a.b.c")),
        (socket(subprotocols=(bearer("t1"),), query="ticket=t4"), ("subprotocol", "t1")),
        (socket(query="offset=-1&ticket=t4&runId=r"), ("ticket", "t4")),
        (socket(("cookie", "s=t3"), query="ticket=t4"), ("ticket", "t4")),
        (socket(("cookie", "s=t3")), ("cookie", "t3")),
    ],
)
def test_the_most_deliberate_is_the_one(scope: dict[str, Any], credential: tuple[str, str] | None) -> None:
    assert brought(scope, "s") == credential


def test_a_cookie_counts_only_where_it_is_configured() -> None:
    assert brought(http(("cookie", "s=t3"))) is None


@pytest.mark.parametrize(
    "scope",
    [
        http(("authorization", ""), ("cookie", "s=good")),
        http(("authorization", "Basic " + "t" * MAX_CREDENTIAL), ("cookie", "s=good")),
        http(("authorization", "Bearer"), ("cookie", "s=good")),
        http(("authorization", "Bearer "), ("x-api-key", "good")),
        http(("authorization", "Bearer a b"), ("x-api-key", "good")),
        http(("authorization", "Bearer t\xe9"), ("x-api-key", "good")),
        http(("authorization", "Bearer t\x7f"), ("x-api-key", "good")),
        http(("authorization", "Bearer " + "t" * (MAX_CREDENTIAL + 1)), ("x-api-key", "good")),
        http(("authorization", "Bearer good"), ("authorization", "Bearer good")),
        http(("x-api-key", "good"), ("x-api-key", "bad")),
        http(("x-api-key", ""), ("cookie", "s=good")),
        http(("cookie", "s=")),
        http(("cookie", "s=bad; s=good")),
        http(("cookie", "s=good;s =bad")),
        http(("cookie", "s=good"), ("cookie", "other=1; s=good")),
        socket(("cookie", "s=good"), subprotocols=("tokenwire.bearer.",)),
        socket(("cookie", "s=good"), subprotocols=("tokenwire.bearer.***",)),
        socket(("cookie", "s=good"), subprotocols=("tokenwire.bearer.a",)),
        socket(("cookie", "s=good"), subprotocols=(bearer("good"), bearer("bad"))),
        socket(("cookie", "s=good"), query="ticket=good&ticket=bad"),
        socket(("cookie", "s=good"), query="ticket="),
    ],
)
def test_what_cannot_be_read_makes_way_for_nothing_else(scope: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        brought(scope, "s")
    assert refused.value.code is Code.unauthenticated


@given(st.binary(max_size=60), st.lists(st.text(st.characters(max_codepoint=255), max_size=40), max_size=3))
def test_garbage_is_a_refusal_or_a_credential(header: bytes, offered: list[str]) -> None:
    subprotocols = [*offered, *(f"tokenwire.bearer.{one}" for one in offered[:1])]
    for name in (b"authorization", b"x-api-key", b"cookie"):
        scope = {**socket(), "subprotocols": subprotocols, "headers": [(name, header)], "query_string": header}
        credential = None
        with contextlib.suppress(Refusal):
            credential = credential_of(HTTPConnection(scope), "s")
        assert credential is None or credential.token.reveal()


def test_a_credential_does_not_show_itself() -> None:
    credential = credential_of(HTTPConnection(http(("authorization", "Bearer canary"))))
    assert "canary" not in f"{credential} {credential!r}"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ((), None),
        (("tokenwire", bearer("t")), "tokenwire"),
        ((bearer("t"), "tokenwire"), "tokenwire"),
        (("chat", bearer("t")), "chat"),
        (("chat", "tokenwire"), "tokenwire"),
        ((bearer("t"),), None),
    ],
)
def test_a_token_is_never_the_chosen_subprotocol(offered: tuple[str, ...], chosen: str | None) -> None:
    assert chosen_subprotocol(offered) == chosen


def test_a_token_that_comes_later_takes_the_place_of_all_that_came_before() -> None:
    scope = socket(
        ("authorization", "Bearer old"), ("x-api-key", "old"), ("cookie", "s=old"), ("origin", "https://app.example"),
        subprotocols=(bearer("old"),), query="ticket=old",
    )  # fmt: skip
    renewed = dict(with_bearer(scope, "new"))
    assert brought(renewed, "s") == ("bearer", "new")
    assert HTTPConnection(renewed).headers.items() == [
        ("origin", "https://app.example"),
        ("authorization", "Bearer new"),
    ]


@pytest.mark.parametrize("token", ["", "a b", "é", "a\r\nx: y", "t" * (MAX_CREDENTIAL + 1)])
def test_a_token_that_comes_later_is_looked_at_like_a_header(token: str) -> None:
    with pytest.raises(Refusal):
        brought(dict(with_bearer(socket(), token)))


def test_what_may_do_something() -> None:
    assert [changes_state(http(method=method)) for method in ("GET", "HEAD", "OPTIONS")] == [False] * 3
    assert changes_state(http(method="POST"))
    assert changes_state({**socket(), "method": "GET"})

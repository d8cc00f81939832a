"""Whatever is sent in the place of a credential or of an id: a plain refusal, and never another's."""

import hashlib
import hmac
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus

from tokenwire.testing import ThreadedUpstream

from ..gate.issuer import raw
from ..over_http.client import ask, get
from ..over_http.web_socket import Socket
from ..over_http.wires import TANSTACK
from ..server import Server
from .conftest import APP, SHARED, KeyRing
from .test_over_http import token
from .test_socket import subprotocols

pytestmark = pytest.mark.parametrize("kind", ["sqlite"], scope="module")

many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
header_values = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), min_size=1, max_size=80)
places = st.integers(0, 10_000)
characters = st.sampled_from("abcXYZ019_-.=+/~ ")


def claims(**other: Any) -> dict[str, Any]:
    return {"iss": "https://login.example", "aud": "tokenwire", "sub": "ann", "exp": int(time.time()) + 600, **other}


def by_hand(header: dict[str, Any], key: bytes) -> str:
    """A token that is signed with HMAC, whatever its header says."""
    signed = raw(header, claims()).rpartition(".")[0]
    return raw(header, claims(), hmac.digest(key, signed.encode(), hashlib.sha256))


FORGED = {
    "none": raw({"alg": "none"}, claims()),
    "none, signed": by_hand({"alg": "none"}, SHARED.encode()),
    "no algorithm": by_hand({"typ": "JWT"}, SHARED.encode()),
    "an algorithm that is not allowed": by_hand({"alg": "HS512"}, SHARED.encode()),
    "an asymmetric one with the secret": by_hand({"alg": "RS256"}, SHARED.encode()),
    "another secret": by_hand({"alg": "HS256"}, SHARED[::-1].encode()),
    "an empty secret": by_hand({"alg": "HS256"}, b""),
    "its own key": by_hand({"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}, bytes(3)),
    "critical": by_hand({"alg": "HS256", "crit": ["exp"]}, SHARED.encode()),
    "expired": token(exp=int(time.time()) - 3600),
    "not yet": token(nbf=int(time.time()) + 3600),
    "another audience": token(aud="somebody"),
    "another issuer": token(iss="https://login.example.evil"),
}


def test_a_forged_token_opens_nothing(server: Server) -> None:
    good = by_hand({"alg": "HS256"}, SHARED.encode())
    assert get(server.url, "/models", {"authorization": f"Bearer {good}"}).status == 200
    for how, forged in FORGED.items():
        for headers in ({"authorization": f"Bearer {forged}"}, {"x-api-key": forged}, {"cookie": f"session={forged}"}):
            answer = ask(server.url, body=TANSTACK.body(), headers={**headers, "origin": APP})
            assert answer.status == 401, how
        with pytest.raises(InvalidStatus) as refused, Socket(server.url, subprotocols=subprotocols(forged)):
            pytest.fail(how)
        assert refused.value.response.status_code == 403


def test_no_header_opens_anything(server: Server) -> None:
    @many
    @given(header_values | header_values.map("Bearer {}".format) | header_values.map("Bearer tw_{}".format))
    def opens_nothing(value: str) -> None:
        for name in ("authorization", "x-api-key"):
            assert get(server.url, "/models", {name: value}).status in (400, 401)
        assert get(server.url, "/models", {"cookie": f"session={value}"}).status in (400, 401)

    opens_nothing()


def test_a_good_one_that_was_changed_opens_nothing(server: Server, keys: KeyRing) -> None:
    key, bearer = keys.create().text, token()

    @many
    @given(st.sampled_from([key, bearer]), places, st.sampled_from(["put", "insert", "drop", "case"]), characters)
    def opens_nothing(good: str, place: int, how: str, character: str) -> None:
        place %= len(good) - 1  # the last character of a JWT holds bits that mean nothing
        rest = good[place + (how != "insert") :]
        put = {"drop": "", "case": good[place].swapcase()}.get(how, character)
        changed = good[:place] + put + rest
        if changed.strip(" ") != good:
            assert get(server.url, "/models", {"authorization": f"Bearer {changed}"}).status == 401

    opens_nothing()
    assert get(server.url, "/models", {"authorization": f"Bearer {key}"}).status == 200


def test_no_offset_made_from_anothers_finds_anything(server: Server, keys: KeyRing, upstream: ThreadedUpstream) -> None:
    ann, bob = keys.create(principal="ann"), keys.create(principal="bob")
    upstream.say("mine")
    question = TANSTACK.body()
    offset = TANSTACK.messages(ask(server.url, body=question, headers=ann.headers).read())[1].id
    assert offset is not None
    log, _, _ = offset.partition(":")
    assert TANSTACK.text(get(server.url, f"/api/chat?offset={log}:0", ann.headers).read()) == "mine"

    @many
    @given(
        st.sampled_from([log, log.upper(), log[:-1], f"ann:{log}", question["runId"], ""]),
        st.integers(-2, 2**70) | st.sampled_from(["", "now", "00", "1e3", "1:1"]),
        st.sampled_from(["", f"&runId={question['runId']}", "&principal=ann", f"&threadId={question['threadId']}"]),
    )
    def finds_nothing(name: str, number: object, more: str) -> None:
        assert get(server.url, f"/api/chat?offset={name}:{number}{more}", bob.headers).status == 404
        resumed = ask(server.url, body=question, headers={**bob.headers, "last-event-id": f"{name}:{number}"})
        assert resumed.status == 404

    finds_nothing()
    assert len(upstream.requests) == 1

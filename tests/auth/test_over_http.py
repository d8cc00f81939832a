"""Who is asking, over HTTP: keys, JWTs and cookies of a running server."""

import time

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tokenwire.gate.principal import Scopes
from tokenwire.testing import ThreadedUpstream

from ..over_http.client import Answer, ask, get
from ..over_http.wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire, label
from ..server import Server
from .conftest import APP, SHARED, KeyRing

wires = pytest.mark.parametrize("wire", [RAIS, TANSTACK, TANSTACK_NDJSON, LEGACY], ids=label)
one_store = pytest.mark.parametrize("kind", ["sqlite"], scope="module")
PATHS = ["/api/chat", "/api/chat/ndjson", "/api/chat/rais", "/api/chat/tanstack"]


def token(**more: object) -> str:
    claims = {"iss": "https://login.example", "aud": "tokenwire", "sub": "ann", "exp": int(time.time()) + 600, **more}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SHARED))


def is_nobody(answer: Answer) -> None:
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    answer.read()


@one_store
def test_nobody_is_told_so_before_anything_is_done(server: Server, upstream: ThreadedUpstream) -> None:
    for path in PATHS:
        is_nobody(ask(server.url, path, RAIS.body()))
        is_nobody(get(server.url, f"{path}?offset=-1&runId=r"))
        is_nobody(ask(server.url, path, RAIS.body(), {"last-event-id": "r:1"}))
    is_nobody(ask(server.url, "/api/chat/runs/r/cancel"))
    is_nobody(ask(server.url, "/api/chat/ticket"))
    is_nobody(get(server.url, "/models"))
    assert upstream.requests == []
    answer = ask(server.url, body=TANSTACK.body())
    assert answer.json == {
        "error": {"code": "unauthenticated", "message": "Who is asking? Sign in, or send a valid key."}
    }
    assert get(server.url, "/healthz").status == get(server.url, "/").status == 200


@wires
@one_store
def test_who_has_a_key_is_answered(server: Server, keys: KeyRing, upstream: ThreadedUpstream, wire: Wire) -> None:
    key = keys.create()
    for headers in (key.headers, {"x-api-key": key.text}):
        upstream.say("Hello")
        assert wire.text(ask(server.url, wire.path, wire.body(), headers).read()) == "Hello"
    assert "tw_" not in str([request.headers for request in upstream.requests])


@one_store
def test_a_jwt(server: Server, upstream: ThreadedUpstream) -> None:
    upstream.say("Hello")
    answer = ask(server.url, body=RAIS.body(), headers={"authorization": f"Bearer {token()}"})
    assert RAIS.text(answer.read()) == "Hello"
    for bad in (token(aud="x"), token(exp=1), token()[:-2]):
        is_nobody(ask(server.url, body=RAIS.body(), headers={"authorization": f"Bearer {bad}"}))


@one_store
def test_a_cookie_counts_only_from_our_own_page(server: Server, keys: KeyRing, upstream: ThreadedUpstream) -> None:
    cookie = {"cookie": f"session={keys.create().text}"}
    upstream.say("Hello")
    answer = ask(server.url, body=RAIS.body(), headers={**cookie, "origin": APP})
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert RAIS.text(answer.read()) == "Hello"
    for headers in (cookie, {**cookie, "sec-fetch-site": "cross-site"}, {**cookie, "origin": "https://evil.example"}):
        assert ask(server.url, body=RAIS.body(), headers=headers).status == 403
        assert ask(server.url, "/api/chat/runs/r/cancel", headers=headers).status == 403
    assert get(server.url, "/models", cookie).status == 200
    assert len(upstream.requests) == 1


def test_a_revoked_key_is_nobodys(server: Server, keys: KeyRing) -> None:
    key, other = keys.create(), keys.create()
    assert get(server.url, "/models", key.headers).status == 200
    keys.revoke(key)
    while get(server.url, "/models", key.headers).status != 401:
        pass
    assert get(server.url, "/models", other.headers).status == 200


@wires
def test_a_revocation_ends_what_is_answered_to_the_key(
    server: Server, keys: KeyRing, upstream: ThreadedUpstream, wire: Wire
) -> None:
    key, other = keys.create(), keys.create()
    upstream.say("one ", "two", hold=True)
    upstream.say("one ", "two", hold=True)
    with ask(server.url, wire.path, wire.body(), key.headers) as answer:
        asked = upstream.received()
        asked.step()
        answer.until(b"one ")
        with ask(server.url, wire.path, wire.body(), other.headers) as untouched:
            upstream.received(2).step()
            untouched.until(b"one ")
            keys.revoke(key)
            assert wire.failure(answer.read()) == "This key is no longer valid."
            asked.wait_closed()
            upstream.received(2).release()
            assert wire.text(untouched.read()) == "one two"


@one_store
def test_a_rotation_ends_what_is_answered_to_the_old_secret(
    server: Server, keys: KeyRing, upstream: ThreadedUpstream
) -> None:
    old = keys.create()
    upstream.say("one ", "two", hold=True)
    with ask(server.url, body=RAIS.body(), headers=old.headers) as answer:
        upstream.received().step()
        answer.until(b"one ")
        new = keys.rotate(old)
        assert RAIS.failure(answer.read()) == "This key is no longer valid."
    while get(server.url, "/models", new.headers).status != 200:  # within the second that a change may take
        pass
    upstream.say("Hello")
    assert RAIS.text(ask(server.url, body=RAIS.body(), headers=new.headers).read()) == "Hello"


@one_store
@pytest.mark.parametrize("how", ["joins", "asks again"])
def test_whoever_reads_by_a_revoked_key_is_sent_away_and_the_run_goes_on(
    server: Server, keys: KeyRing, upstream: ThreadedUpstream, how: str
) -> None:
    key, other = keys.create(principal="ann"), keys.create(principal="ann")
    upstream.say("one ", "two", hold=True)
    question = TANSTACK.body()
    with ask(server.url, body=question, headers=other.headers) as asking:
        upstream.received().step()
        asking.until(b"one ")
        with (
            get(server.url, f"/api/chat?offset=-1&runId={question['runId']}", key.headers)
            if how == "joins"
            else ask(server.url, body=question, headers=key.headers)
        ) as reading:
            reading.until(b"one ")
            keys.revoke(key)
            assert TANSTACK.failure(reading.read()) == "This key is no longer valid."
        upstream.received().release()
        assert TANSTACK.text(asking.read()) == "one two"


@one_store
def test_a_key_may_ask_for_what_its_scopes_say(server: Server, keys: KeyRing, upstream: ThreadedUpstream) -> None:
    key = keys.create(scopes=Scopes(models=("large",), personas=()))
    offered = get(server.url, "/models", key.headers).json
    assert offered["default"] == "large"
    assert [model["name"] for model in offered["models"]] == ["large"]
    assert offered["personas"] == []
    for number, wish in enumerate(({}, {"model": "small"}, {"model": "large", "persona": "poet"}), 1):
        ask(server.url, body=RAIS.body(**wish), headers=key.headers).read()
        body = upstream.received(number).body
        assert body["model"] == "upstream-of-large"
        assert [message["role"] for message in body["messages"]] == ["user"]


@one_store
def test_a_secret_is_not_in_the_log(server: Server, keys: KeyRing) -> None:
    key, bearer = keys.create(), token()
    for text in (key.text, key.text[:-1], bearer, bearer[:-4]):
        get(server.url, "/models", {"authorization": f"Bearer {text}"}).read()
        get(server.url, f"/models?ticket={text}&key={text}", {"x-api-key": text}).read()
        get(server.url, "/models", {"cookie": f"session={text}"}).read()
    log = server.log.read_text()
    assert key.text[-43:-1] not in log
    assert bearer.rpartition(".")[2][:-4] not in log

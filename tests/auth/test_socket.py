"""Who is asking, on a WebSocket."""

import base64

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tokenwire.testing import ThreadedUpstream

from ..over_http.client import ask, get
from ..over_http.web_socket import Closed, Socket, text_of
from ..over_http.wires import TANSTACK
from ..server import Server
from .conftest import APP, KeyRing
from .test_over_http import token

one_store = pytest.mark.parametrize("kind", ["sqlite"], scope="module")

NOBODY = Closed(4401, "unauthenticated")


def subprotocols(text: str) -> list[Subprotocol]:
    encoded = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return [Subprotocol("tokenwire"), Subprotocol(f"tokenwire.bearer.{encoded}")]


def auth(text: str) -> dict[str, str]:
    return {"type": "auth", "token": text}


def answered(socket: Socket, upstream: ThreadedUpstream) -> bool:
    upstream.say("Hello")
    question = TANSTACK.body()
    socket.send(question)
    return text_of(socket.until("RUN_FINISHED", question["runId"])) == "Hello"


def refused(server: Server, query: str = "", headers: dict[str, str] | None = None, text: str | None = None) -> bool:
    """Whether it is not even opened."""
    offered = None if text is None else subprotocols(text)
    with pytest.raises(InvalidStatus), Socket(server.url, query, headers, subprotocols=offered):
        pass
    return True


@one_store
def test_a_header_or_a_subprotocol(server: Server, keys: KeyRing, upstream: ThreadedUpstream) -> None:
    key = keys.create()
    with Socket(server.url, "", key.headers) as socket:
        assert answered(socket, upstream)
    with Socket(server.url, subprotocols=subprotocols(key.text)) as socket:
        assert socket.connection.subprotocol == "tokenwire"
        assert answered(socket, upstream)
    with Socket(server.url, subprotocols=subprotocols(token())) as socket:
        assert answered(socket, upstream)
    assert refused(server, text="tw_wrong")
    assert refused(server, "", {"authorization": "Bearer tw_wrong"})


def test_a_ticket_opens_one_socket(server: Server, keys: KeyRing, upstream: ThreadedUpstream) -> None:
    key = keys.create()
    got = ask(server.url, "/api/chat/ticket", headers=key.headers)
    assert got.headers["cache-control"] == "no-store"
    told = got.json
    assert told["expiresIn"] == 60
    with Socket(server.url, f"?ticket={told['ticket']}") as socket:
        assert answered(socket, upstream)
    assert refused(server, f"?ticket={told['ticket']}")
    assert ask(server.url, f"/api/chat/ticket?ticket={told['ticket']}").status == 401


@one_store
def test_a_key_in_the_address_is_not_looked_at(server: Server, keys: KeyRing) -> None:
    key = keys.create()
    for name in ("token", "key", "api_key", "access_token", "authorization"):
        with Socket(server.url, f"?{name}={key.text}") as socket:
            socket.send(TANSTACK.body())
            assert socket.rest() == []
            assert socket.was_closed == NOBODY
    assert refused(server, f"?ticket={key.text}")


@one_store
def test_the_first_frame(server: Server, keys: KeyRing, upstream: ThreadedUpstream) -> None:
    key = keys.create()
    with Socket(server.url) as socket:
        socket.send(auth(key.text))
        assert answered(socket, upstream)


@one_store
@pytest.mark.parametrize(
    "frame",
    [auth("tw_wrong"), auth(""), {"type": "auth"}, {"type": "auth", "token": 7}, TANSTACK.body(), "no JSON"],
    ids=range(6),
)
def test_another_first_frame_closes_it(server: Server, upstream: ThreadedUpstream, frame: dict[str, str]) -> None:
    with Socket(server.url) as socket:
        socket.send(frame)
        assert socket.rest() == []
        assert socket.was_closed == NOBODY
    assert upstream.requests == []


@one_store
def test_a_resume_waits_for_the_first_frame(server: Server, keys: KeyRing, upstream: ThreadedUpstream) -> None:
    key = keys.create()
    upstream.say("Hello")
    question = TANSTACK.body()
    ask(server.url, body=question, headers=key.headers).read()
    with Socket(server.url, f"?offset=-1&runId={question['runId']}") as socket:
        socket.send(auth(key.text))
        assert text_of(socket.until("RUN_FINISHED")) == "Hello"


@one_store
def test_a_token_is_renewed_on_an_open_socket(server: Server, keys: KeyRing, upstream: ThreadedUpstream) -> None:
    with Socket(server.url) as socket:
        socket.send(auth(token()))
        assert answered(socket, upstream)
        socket.send(auth(token()))
        assert answered(socket, upstream)
        socket.send(auth("tw_wrong"))
        assert socket.rest() == []
        assert socket.was_closed == NOBODY


@one_store
def test_nobody_else_takes_an_answer_over(server: Server, keys: KeyRing, upstream: ThreadedUpstream) -> None:
    ann, bob = keys.create(), keys.create()
    upstream.say("one ", "two", hold=True)
    with Socket(server.url, "", ann.headers) as socket:
        socket.send(TANSTACK.body())
        upstream.received().step()
        socket.until("TEXT_MESSAGE_CONTENT")
        socket.send(auth(bob.text))
        socket.rest()
        assert socket.was_closed == NOBODY


def test_a_revocation_closes_the_socket(server: Server, keys: KeyRing, upstream: ThreadedUpstream) -> None:
    key = keys.create()
    upstream.say("one ", "two", hold=True)
    with Socket(server.url, "", key.headers) as socket, Socket(server.url, "", key.headers) as idle:
        socket.send(TANSTACK.body())
        upstream.received().step()
        socket.until("TEXT_MESSAGE_CONTENT")
        keys.revoke(key)
        for one in (socket, idle):
            one.rest()
            assert one.was_closed == NOBODY
    upstream.received().wait_closed()


@one_store
def test_a_rotated_secrets_socket_is_closed_after_the_overlap_unless_it_was_renewed(
    server: Server, keys: KeyRing, upstream: ThreadedUpstream
) -> None:
    old = keys.create()
    with Socket(server.url, "", old.headers) as renewed, Socket(server.url, "", old.headers) as left:
        new = keys.rotate(old, overlap=3)
        while get(server.url, "/models", new.headers).status != 200:
            pass
        renewed.send(auth(new.text))
        assert left.rest() == []
        assert left.was_closed == NOBODY
        assert answered(renewed, upstream)


@one_store
def test_a_cookie_only_from_our_own_page(server: Server, keys: KeyRing, upstream: ThreadedUpstream) -> None:
    cookie = {"cookie": f"session={keys.create().text}"}
    with Socket(server.url, "", {**cookie, "origin": APP}) as socket:
        assert answered(socket, upstream)
    assert refused(server, "", cookie)
    assert refused(server, "", {**cookie, "origin": "https://evil.example"})

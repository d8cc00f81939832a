"""What is no chat: frames, questions and handshakes, answered in a form the client can show or with a short close."""

import json
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tokenwire.testing import ThreadedUpstream

from .client import exchange, get
from .test_origin import ALLOWED, ELSEWHERE
from .web_socket import PATH, Socket, failure, text_of
from .wires import LEGACY, RAIS, TANSTACK

NO_FRAMES: dict[str, tuple[str | bytes, tuple[int, str]]] = {
    "nothing": ("", (1007, "bad_json")),
    "half of it": ('{"messages":[', (1007, "bad_json")),
    "words": ("hello", (1007, "bad_json")),
    "too deep": ('{"messages":[{"content":' + "[" * 100_000 + "]" * 100_000 + "}]}", (1007, "bad_json")),
    "no UTF-8": (b'{"messages":[{"role":"user","content":"\xff"}]}', (1007, "not UTF-8")),
    "null": ("null", (1008, "bad_request")),
    "a list": ("[]", (1008, "bad_request")),
    "a string": ('"x"', (1008, "bad_request")),
    "messages that are none": ('{"messages":7}', (1008, "bad_request")),
    "a run id that is none": ('{"runId":{},"messages":7}', (1008, "bad_request")),
    "a number for a run id": ('{"runId":7,"messages":[]}', (1008, "bad_request")),
    "a run id without end": (json.dumps({"runId": "r" * 5000, "messages": []}), (1008, "bad_request")),
}


@pytest.mark.parametrize("what", NO_FRAMES)
@pytest.mark.parametrize("as_text", [True, False], ids=["text", "binary"])
def test_a_frame_that_nobody_can_be_told_of_closes(
    upstream: ThreadedUpstream, ordinary: str, what: str, as_text: bool
) -> None:
    frame, closed = NO_FRAMES[what]
    data = frame.encode() if isinstance(frame, str) else frame
    with Socket(ordinary) as socket:
        socket.connection.send(data, text=as_text)
        assert socket.closed == closed
    assert upstream.requests == []


def test_a_bad_frame_does_not_end_the_runs_of_other_sockets(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("a", "b", hold=True)
    with Socket(ordinary) as socket, Socket(ordinary) as bad:
        socket.send(TANSTACK.body())
        upstream.received().step()
        socket.until_text("a")
        bad.send("{")
        assert bad.closed.code == 1007
        upstream.received().release()
        socket.until("RUN_FINISHED")
    assert text_of(socket.messages) == "ab"


BAD_QUESTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": ({"messages": []}, "The request has no messages."),
    "messages that are none": (
        {"messages": 7},
        "The request is not a chat request: Expected `array | null`, got `int` - at `$.messages`.",
    ),
    "too many messages": (
        {"messages": [{"role": "user", "content": "x"}] * 6},
        "The conversation has more than 5 messages.",
    ),
    "a model that is not there": ({"forwardedProps": {"model": "nowhere"}}, "Not offered here: this model."),
}


@pytest.mark.parametrize("why", BAD_QUESTIONS)
def test_a_refused_question_is_told_as_its_runs_only_event(upstream: ThreadedUpstream, strict: str, why: str) -> None:
    extra, sentence = BAD_QUESTIONS[why]
    question = TANSTACK.body(**extra)
    with Socket(strict) as socket:
        socket.send(question)
        told = socket.read()
        assert failure([told]) == sentence
        assert (told.id, told.event["runId"], told.event["threadId"]) == (None, question["runId"], "thread-1")
        assert told.event["error"] == {"code": told.event["code"], "message": told.event["message"]}
        assert upstream.requests == []
        socket.send(TANSTACK.body())  # the socket goes on
        assert text_of(socket.until("RUN_FINISHED")) == "Hello, world"
    with Socket(strict, "?offset=-1&runId=" + question["runId"]) as socket:
        assert socket.closed.code == 1008


@pytest.mark.parametrize("wire", [RAIS, LEGACY], ids=["rais", "tanstack-legacy"])
def test_a_refused_question_of_the_others_is_told_and_closed(
    upstream: ThreadedUpstream, ordinary: str, wire: Any
) -> None:
    with Socket(ordinary) as socket:
        socket.send(wire.body(messages=[]))
        came = socket.rest()
        if wire is RAIS:
            assert came == [(None, {"type": "error", "error": "The request has no messages."})]
        else:
            assert came[0].event["error"]["message"] == "The request has no messages."
        assert socket.was_closed.code == 1000
    assert upstream.requests == []


def test_a_socket_of_the_newest_client_keeps_its_wire(upstream: ThreadedUpstream, ordinary: str) -> None:
    with Socket(ordinary) as socket:
        socket.send(TANSTACK.body())
        socket.until("RUN_FINISHED")
        socket.send(RAIS.body())
        assert socket.closed == (1008, "bad_request")
    assert len(upstream.requests) == 1


def test_a_frame_that_is_too_large(upstream: ThreadedUpstream, strict: str) -> None:
    with Socket(strict) as socket:
        with suppress(ConnectionClosed):
            socket.connection.send([b"x" * 9000, b"x" * 9000, b"x" * 9000])
        assert socket.closed.code == 1009
    assert upstream.requests == []


@pytest.mark.parametrize("origin", ELSEWHERE)
def test_a_page_from_elsewhere_is_refused_before_anything(
    upstream: ThreadedUpstream, ordinary: str, origin: str
) -> None:
    with pytest.raises(InvalidStatus) as refused, Socket(ordinary, headers={"origin": origin}):
        pass
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["error"]["code"] == "forbidden_origin"


@pytest.mark.parametrize("origin", [ALLOWED, "its own", None])
def test_a_page_that_may_ask(upstream: ThreadedUpstream, ordinary: str, origin: str | None) -> None:
    headers = None if origin is None else {"origin": ordinary if origin == "its own" else origin}
    with Socket(ordinary, headers=headers) as socket:
        socket.send(TANSTACK.body())
        assert text_of(socket.until("RUN_FINISHED")) == "Hello, world"


@pytest.mark.parametrize("origin", ["https://app.example", "http://localhost.evil.example", "null"])
def test_without_a_file_only_pages_of_this_machine_may_ask(bare: str, origin: str) -> None:
    with pytest.raises(InvalidStatus), Socket(bare, headers={"origin": origin}):
        pass
    with Socket(bare, headers={"origin": "http://localhost:5173"}):
        pass


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/ws/", "/nothing", "/healthz", "/", "/web/app.js"])
def test_there_is_no_socket_anywhere_else(ordinary: str, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused, Socket(ordinary, path=path):
        pass
    assert refused.value.response.status_code == 404


def test_the_address_of_the_socket_is_no_page(ordinary: str) -> None:
    assert get(ordinary, PATH).status == 404


HEADS = {
    "no key": b"",
    "a bad key": b"sec-websocket-key: x\r\nsec-websocket-version: 13\r\n",
    "a version of the past": b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 8\r\n",
    "a long line": b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\ncookie: " + b"x" * 9000 + b"\r\n",
    "many lines": b"".join(b"x-%d: y\r\n" % number for number in range(200)),
}


@pytest.mark.parametrize("what", HEADS)
def test_a_handshake_that_is_none(ordinary: str, what: str) -> None:
    said = exchange(
        ordinary,
        b"GET /api/chat/ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        + HEADS[what]
        + b"\r\n",
    )
    assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 426 "))


def test_a_subprotocol_that_is_offered_is_chosen(ordinary: str) -> None:
    with Socket(ordinary, subprotocols=["chat", "bearer.token"]) as socket:
        assert socket.connection.subprotocol == "chat"


def test_nothing_is_compressed(ordinary: str) -> None:
    with Socket(ordinary) as socket:
        assert socket.connection.protocol.extensions == []

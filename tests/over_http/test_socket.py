"""Asking over WebSocket: many questions on one socket where the client can, one where it cannot."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from .client import ask
from .web_socket import Closed, Socket, failure, text_of, types
from .wires import LEGACY, RAIS, TANSTACK, Wire, label

wires = pytest.mark.parametrize("wire", [RAIS, TANSTACK, LEGACY], ids=label)
one_question = pytest.mark.parametrize("wire", [RAIS, LEGACY], ids=label)

DONE = Closed(1000, "")


@wires
def test_an_answer_is_the_one_that_is_given_over_http(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    upstream.say("Hello")
    upstream.say("Hello")
    over_http = [message.event for message in wire.messages(ask(ordinary, wire.path, wire.body()).read())]
    with Socket(ordinary) as socket:
        socket.send(wire.body())
        while socket.read().event["type"] not in ("RUN_FINISHED", "done"):
            pass
    assert types(socket.messages) == [event["type"] for event in over_http]
    assert text_of(socket.messages) == "Hello"


def test_every_event_of_the_newest_client_has_the_offset_that_it_has_over_http(
    upstream: ThreadedUpstream, ordinary: str
) -> None:
    question = TANSTACK.body()
    with Socket(ordinary) as socket:
        socket.send(question)
        socket.until("RUN_FINISHED")
    assert socket.messages == TANSTACK.messages(ask(ordinary, body=question).read())


@one_question
def test_a_client_that_knows_the_end_by_the_close_gets_one(
    upstream: ThreadedUpstream, ordinary: str, wire: Wire
) -> None:
    with Socket(ordinary) as socket:
        socket.send(wire.body())
        came = socket.rest()
        assert types(came)[-1] in ("done", "RUN_FINISHED")
        assert text_of(came) == "Hello, world"
        assert socket.was_closed == DONE


def test_a_second_question_of_such_a_client_is_answered_before_the_close(
    upstream: ThreadedUpstream, ordinary: str
) -> None:
    upstream.say("one", hold=True)
    upstream.say("two", hold=True)
    with Socket(ordinary) as socket:
        socket.send(RAIS.body())
        first = upstream.received()
        socket.send(RAIS.body())
        second = upstream.received(2)
        second.release()
        assert types(socket.until("done")) == ["text", "done"]
        first.release()
        assert (types(socket.rest()), text_of(socket.messages)) == (["text", "done"], "twoone")
        assert socket.was_closed == DONE


def test_many_turns_on_one_socket(upstream: ThreadedUpstream, ordinary: str) -> None:
    with Socket(ordinary, "?runId=run-0") as socket:
        for number in range(4):
            upstream.say(f"answer {number}")
            question = TANSTACK.body(f"question {number}")
            socket.send(question)
            came = socket.until("RUN_FINISHED", question["runId"])
            assert text_of(came) == f"answer {number}"
    assert [request.body["messages"][-1]["content"] for request in upstream.requests] == [
        f"question {number}" for number in range(4)
    ]


def test_many_runs_at_once(upstream: ThreadedUpstream, ordinary: str) -> None:
    runs = [f"at-once-{number}-{id(upstream)}" for number in range(3)]
    with Socket(ordinary) as socket:
        for number, run_id in enumerate(runs, 1):
            upstream.say("a", "b", hold=True)
            socket.send(TANSTACK.body(run_id=run_id))
            upstream.received(number)
        for number in (2, 3, 1):
            upstream.received(number).release()
            socket.until("RUN_FINISHED", runs[number - 1])
    by_log: dict[str, list[str]] = {}
    for offset, event in socket.messages:
        by_log.setdefault(str(offset).rpartition(":")[0], []).append(str(offset).rpartition(":")[2] + event["type"])
    assert len(by_log) == 3
    for events in by_log.values():
        assert events == [f"{seq}{event[len(str(seq)) :]}" for seq, event in enumerate(events, 1)]
    assert text_of(socket.messages) == "ababab"


def test_more_runs_than_one_socket_may_have(upstream: ThreadedUpstream, ordinary: str) -> None:
    with Socket(ordinary) as socket:
        questions = [TANSTACK.body() for _ in range(17)]
        for number, question in enumerate(questions[:16], 1):
            upstream.say("x", hold=True)
            socket.send(question)
            upstream.received(number)
            socket.until("RUN_STARTED")
        socket.send(questions[0])  # which is followed already, and is no other run
        socket.send(questions[16])
        assert failure([socket.read()]) == "Too many answers at once on one connection."
        assert socket.messages[-1].event["runId"] == questions[16]["runId"]
        upstream.received(1).release()
        assert types(socket.until("RUN_FINISHED", questions[0]["runId"])).count("RUN_STARTED") == 0
        socket.send(questions[16])
        assert text_of(socket.until("RUN_FINISHED", questions[16]["runId"])) == "Hello, world"
    assert len(upstream.requests) == 17


@pytest.mark.parametrize("second", ["the same socket", "another socket", "HTTP"])
def test_a_run_that_is_under_way_is_not_asked_for_again(upstream: ThreadedUpstream, ordinary: str, second: str) -> None:
    upstream.say("a", "b", hold=True)
    question = TANSTACK.body()
    with Socket(ordinary) as socket, Socket(ordinary) as other:
        socket.send(question)
        upstream.received().step()
        socket.until_text("a")
        match second:
            case "the same socket":
                socket.send(question)
            case "another socket":
                other.send(question)
                other.until_text("a")
            case _:
                with ask(ordinary, body=question) as answer:
                    answer.until(b'"a"')
        upstream.received().release()
        socket.until("RUN_FINISHED")
        assert text_of(socket.messages) == "ab"
        if second == "another socket":
            other.until("RUN_FINISHED")
            assert other.messages == socket.messages
    assert len(upstream.requests) == 1


def test_a_run_that_many_sockets_ask_for_at_the_same_time(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("a", "b", hold="head")
    question = TANSTACK.body()
    together = Barrier(6)

    def one() -> str:
        with Socket(ordinary) as socket:
            together.wait()
            socket.send(question)
            return json.dumps(socket.until("RUN_FINISHED"))

    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(one) for _ in range(6)]
        upstream.received().release()
        assert len({future.result() for future in asked}) == 1
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("as_binary", [False, True])
def test_a_question_may_come_as_binary_and_in_pieces(
    upstream: ThreadedUpstream, ordinary: str, as_binary: bool
) -> None:
    text = json.dumps(TANSTACK.body("grüße 🌍"), ensure_ascii=False)
    whole = text.encode() if as_binary else text
    with Socket(ordinary) as socket:
        socket.connection.send([whole[:20], whole[20:90], whole[90:]])
        socket.until("RUN_FINISHED")
    assert upstream.received().body["messages"][-1]["content"] == "grüße 🌍"


def test_half_a_character_is_mended_as_it_is_over_http(upstream: ThreadedUpstream, ordinary: str) -> None:
    with Socket(ordinary) as socket:
        socket.send(json.dumps(TANSTACK.body("cut \ud83d here")))
        assert text_of(socket.until("RUN_FINISHED")) == "Hello, world"


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(status=429, body="SECRET"), "The model is busy. Try again in a moment."),
        (
            Reply(text=["so far", "b"], error_after=1, error={"message": "SECRET"}),
            "The answer broke off. The model reported an error.",
        ),
    ],
    ids=["before its first word", "after it"],
)
@wires
def test_the_model_fails(upstream: ThreadedUpstream, ordinary: str, wire: Wire, reply: Reply, sentence: str) -> None:
    upstream.reply(reply)
    with Socket(ordinary) as socket:
        socket.send(wire.body())
        socket.until("error" if wire is RAIS else "RUN_ERROR")
        assert failure(socket.messages[-1:]) == sentence
        if wire is TANSTACK:  # whose socket goes on
            socket.send(wire.body())
            assert text_of(socket.until("RUN_FINISHED")) == "Hello, world"
        else:
            assert socket.closed == DONE
    assert "SECRET" not in str(socket.messages)

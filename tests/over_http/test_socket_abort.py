"""Stop over WebSocket: the model is left at once, and not one more event of that run comes."""

import json

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from .client import ask, get
from .web_socket import Socket, text_of, types
from .wires import TANSTACK


def test_an_abort_stops_the_model_and_says_nothing_more(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("so far", "never", hold=True)
    question = TANSTACK.body()
    with Socket(ordinary) as socket:
        socket.send(question)
        request = upstream.received()
        request.step()
        socket.until_text("so far")
        socket.abort(question["runId"])
        request.wait_closed()
        after = TANSTACK.body()
        socket.send(after)
        came = socket.until("RUN_FINISHED")
    assert {event.get("runId", after["runId"]) for _, event in came} == {after["runId"]}
    assert text_of(came) == "Hello, world"


def test_an_abort_holds_back_what_is_read_from_the_log_already(upstream: ThreadedUpstream, ordinary: str) -> None:
    """The client does not read, so that the run's events wait for the socket when the abort comes."""
    word = "x" * 4000
    upstream.say(*[word] * 4000, hold=True)
    question = TANSTACK.body()
    with Socket(ordinary, max_queue=1) as socket:
        socket.send(question)
        request = upstream.received()
        request.step(4000)
        socket.abort(question["runId"])
        request.wait_closed()
        socket.send(TANSTACK.body(run_id="after-the-abort"))
        came = socket.until("RUN_FINISHED", "after-the-abort")
    assert 0 < len(text_of(came)) < 4000 * 4000
    began = types(came).index("RUN_STARTED", 1)
    assert {str(offset).rpartition(":")[0] for offset, _ in came[began:]} == {str(came[-1].id).rpartition(":")[0]}


def test_an_abort_on_the_heels_of_its_question(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("never", hold="head")
    question = TANSTACK.body()
    with Socket(ordinary) as socket:
        socket.send(question)
        socket.abort(question["runId"])
        socket.send(TANSTACK.body(messages=[]))  # refused, after the abort was read
        assert set(types(socket.until("RUN_ERROR"))) <= {"RUN_STARTED", "RUN_ERROR"}
    joined = get(ordinary, f"/api/chat?offset=-1&runId={question['runId']}").read()
    assert (TANSTACK.finished(joined), TANSTACK.text(joined)) == (True, "")


def test_one_of_two_runs_is_stopped(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("a", "b", hold=True)
    upstream.say("c", "d", hold=True)
    stopped, kept = TANSTACK.body(), TANSTACK.body()
    with Socket(ordinary) as socket:
        socket.send(stopped)
        upstream.received(1).step()
        socket.until_text("a")
        socket.send(kept)
        upstream.received(2).step()
        socket.until_text("c")
        socket.abort(stopped["runId"])
        upstream.received(1).wait_closed()
        upstream.received(2).release()
        socket.until("RUN_FINISHED")
        assert text_of(socket.messages) == "acd"
        assert socket.messages[-1].event["runId"] == kept["runId"]
        ended = [event["runId"] for _, event in socket.messages if event["type"] == "RUN_FINISHED"]
        assert ended == [kept["runId"]]


def test_everybody_else_who_reads_the_run_is_told_of_its_end(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("so far", hold=True)
    question = TANSTACK.body()
    with Socket(ordinary) as socket, ask(ordinary, body=question) as other:
        socket.send(question)
        upstream.received().step()
        socket.until_text("so far")
        socket.abort(question["runId"])
        assert TANSTACK.finished(other.read())


def test_a_run_of_another_socket_cannot_be_aborted(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("a", "b", hold=True)
    question = TANSTACK.body()
    with Socket(ordinary) as socket, Socket(ordinary) as other:
        socket.send(question)
        upstream.received().step()
        socket.until_text("a")
        other.abort(question["runId"])
        other.send(TANSTACK.body())  # answered after the abort was read
        other.until("RUN_FINISHED")
        upstream.received().release()
        socket.until("RUN_FINISHED")
    assert text_of(socket.messages) == "ab"


def test_late_and_repeated_aborts_do_nothing(upstream: ThreadedUpstream, ordinary: str) -> None:
    question = TANSTACK.body()
    with Socket(ordinary) as socket:
        socket.abort("nobody")
        socket.send(question)
        whole = socket.until("RUN_FINISHED")
        socket.abort(question["runId"])
        socket.abort(question["runId"])
        socket.send(TANSTACK.body())
        assert text_of(socket.until("RUN_FINISHED")) == "Hello, world"
    joined = get(ordinary, f"/api/chat?offset=-1&runId={question['runId']}")
    assert TANSTACK.messages(joined.read()) == whole


def test_a_run_that_was_aborted_is_found_as_it_ended(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("so far", "never", hold=True)
    question = TANSTACK.body()
    with Socket(ordinary) as socket:
        socket.send(question)
        upstream.received().step()
        socket.until_text("so far")
        socket.abort(question["runId"])
        socket.send(question)
        again = socket.until("RUN_FINISHED")
    assert (text_of(again), again[-1].event["finishReason"]) == ("so far", "stop")
    assert len(upstream.requests) == 1


def test_an_abort_on_a_socket_that_replays(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("so far", "never", hold=True)
    question = TANSTACK.body()
    with Socket(ordinary) as first:
        first.send(question)
        upstream.received().step()
        first.until_text("so far")
        with Socket(ordinary, f"?offset=-1&runId={question['runId']}") as replay:
            replay.until_text("so far")
            replay.abort(question["runId"])
            upstream.received().wait_closed()
            assert replay.closed.code == 1000


@pytest.mark.parametrize("run_id", [None, 7, ["r"], {}])
def test_an_abort_of_nothing_is_no_frame(ordinary: str, run_id: object) -> None:
    with Socket(ordinary) as socket:
        socket.send(json.dumps({"type": "abort", "runId": run_id}))
        assert socket.closed == (1008, "an abort needs a runId")


def test_an_abort_makes_room(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.reply(Reply(text=("one",), hold=True), Reply(text=("two",), hold=True))
    one, two, three = TANSTACK.body(), TANSTACK.body(), TANSTACK.body()
    with Socket(brisk) as socket:
        for number, question in enumerate((one, two), 1):
            socket.send(question)
            upstream.received(number)
        socket.send(three)
        refused = socket.until("RUN_ERROR")[-1].event
        assert (refused["runId"], refused["code"]) == (three["runId"], "overloaded")
        socket.abort(one["runId"])
        socket.send(three)
        assert text_of(socket.until("RUN_FINISHED", three["runId"])) == "Hello, world"

"""Resuming by URL: exactly what follows, then a close; nothing lost, nothing doubled, wherever the connection broke."""

import pytest

from tokenwire.testing import ThreadedUpstream

from .client import ask
from .web_socket import Closed, Socket, text_of, types
from .wires import LEGACY, RAIS, TANSTACK, Message, Wire, label

WORDS = ("one ", "two ", "three ", "four")
DONE = Closed(1000, "")


def finished(upstream: ThreadedUpstream, url: str, run_id: str) -> list[Message]:
    """A whole answer, each of its words an event of its own."""
    upstream.say(*WORDS, hold=True)
    with Socket(url) as socket:
        socket.send(TANSTACK.body(run_id=run_id))
        request = upstream.received()
        for word in WORDS:
            request.step()
            socket.until_text(word)
        request.release()
        socket.until("RUN_FINISHED")
        return socket.messages


def replay(url: str, offset: str | None, run_id: str | None = None, *, key: str = "offset") -> list[Message]:
    """What a socket with this offset is sent, to its proper close."""
    query = f"?{key}={offset}" + ("" if run_id is None else f"&runId={run_id}")
    with Socket(url, query) as socket:
        came = socket.rest()
        assert socket.was_closed == DONE
        return came


def test_a_finished_run_at_every_offset(upstream: ThreadedUpstream, ordinary: str) -> None:
    whole = finished(upstream, ordinary, "every-offset")
    for place, (offset, _) in enumerate(whole[:-1], 1):
        assert replay(ordinary, offset, "every-offset") == whole[place:]
        assert replay(ordinary, offset) == whole[place:]
    assert replay(ordinary, "-1", "every-offset") == whole
    assert len(upstream.requests) == 1


def test_a_running_run_at_every_offset(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say(*WORDS, hold=True)
    with Socket(ordinary) as first:
        first.send(TANSTACK.body(run_id="still-running"))
        request = upstream.received()
        for word in WORDS[:3]:
            request.step()
            first.until_text(word)
        for offset, event in tuple(first.messages):
            if event["type"] == "TEXT_MESSAGE_CONTENT":
                with Socket(ordinary, f"?runId=still-running&offset={offset}") as socket:
                    if event["delta"] != WORDS[2]:
                        socket.until_text(WORDS[2])
        place = len(first.messages)
        with Socket(ordinary, f"?runId=still-running&offset={first.messages[-1].id}") as last:
            request.release()
            first.until("RUN_FINISHED")
            assert last.rest() == first.messages[place:]
            assert last.was_closed == DONE
    assert len(upstream.requests) == 1


def test_past_the_end_the_end_is_told_again_without_an_offset(upstream: ThreadedUpstream, ordinary: str) -> None:
    end = finished(upstream, ordinary, "past-the-end")[-1]
    assert replay(ordinary, end.id, "past-the-end") == [(None, end.event)]
    assert replay(ordinary, "now", "past-the-end") == [(None, end.event)]


def test_a_connection_that_is_cut_after_any_event_loses_and_doubles_nothing(
    upstream: ThreadedUpstream, ordinary: str
) -> None:
    """The client goes after each number of events, the model goes on, the client comes back for the rest."""
    cut = 0
    while True:
        cut += 1
        upstream.say(*WORDS, hold=True)
        run_id = f"cut-after-{cut}"
        with Socket(ordinary) as socket:
            socket.send(TANSTACK.body(run_id=run_id))
            request = upstream.received(cut)
            request.release()
            while len(socket.messages) < cut and (not socket.messages or types(socket.messages)[-1] != "RUN_FINISHED"):
                socket.read()
            socket.hang_up()
        seen = socket.messages
        rest = replay(ordinary, seen[-1].id, run_id)
        if seen[-1].event["type"] == "RUN_FINISHED":
            assert cut > 4
            break
        assert seen + rest == replay(ordinary, "-1", run_id)
        assert text_of(seen + rest) == "".join(WORDS)
    assert len(upstream.requests) == cut


@pytest.mark.parametrize("wire", [RAIS, LEGACY], ids=label)
def test_a_run_of_a_client_without_offsets_is_joined_in_its_own_words(
    upstream: ThreadedUpstream, ordinary: str, wire: Wire
) -> None:
    answer = ask(ordinary, wire.path, wire.body())
    said = [message.event for message in wire.messages(answer.read())]
    joined = replay(ordinary, "-1", answer.headers["x-run-id"])
    assert joined == [(None, event) for event in said]
    assert replay(ordinary, "now", answer.headers["x-run-id"]) == []


@pytest.mark.parametrize(
    "query",
    [
        "?offset=-1&runId=nobody",
        "?offset=-1",
        "?offset=now&runId=nobody",
        "?offset=&runId=resumable",
        "?offset=AAAAAAAAAAAAAAAAAAAA:1&runId=resumable",
        "?offset={key}:999&runId=resumable",
        "?offset={key}:1&runId=nobody",
        "?offset={key}:1&runId=foreign",
        "?offset=garbage&runId=resumable",
        "?offset=%ff%00&runId=resumable",
        "?offset=-1&runId=%ff%00",
        "?offset=" + "x" * 5000,
    ],
)
def test_what_cannot_be_resumed(upstream: ThreadedUpstream, ordinary: str, query: str) -> None:
    ask(ordinary, body=TANSTACK.body(run_id="foreign")).read()
    whole = TANSTACK.messages(ask(ordinary, body=TANSTACK.body(run_id="resumable")).read())
    asked = len(upstream.requests)
    with Socket(ordinary, query.format(key=str(whole[0].id).rpartition(":")[0])) as socket:
        assert socket.closed == (1008, "unknown_run")
    assert len(upstream.requests) == asked


def test_a_socket_that_replays_takes_no_questions(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("a", "b", hold=True)
    with Socket(ordinary) as first:
        first.send(TANSTACK.body(run_id="only-replayed"))
        upstream.received().step()
        first.until_text("a")
        with Socket(ordinary, "?offset=-1&runId=only-replayed") as socket:
            socket.send(TANSTACK.body())
            socket.until_text("a")
            upstream.received().release()
            socket.rest()
            assert text_of(socket.messages) == "ab"
            assert types(socket.messages).count("RUN_STARTED") == 1
    assert len(upstream.requests) == 1

"""Another principal's ids are unknown: at every endpoint, in every framing, and told as ids that never were."""

from collections.abc import Iterator
from typing import Any

import pytest

from tokenwire.testing import ThreadedUpstream

from ..over_http.client import Answer, ask, get
from ..over_http.web_socket import Closed, Socket, text_of
from ..over_http.wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire, label
from ..server import Server
from .conftest import KeyRing, Made

pytestmark = pytest.mark.parametrize("kind", ["sqlite"], scope="module")

PATHS = ["/api/chat", "/api/chat/ndjson", "/api/chat/rais", "/api/chat/tanstack"]


class Run:
    """Ann's, under way."""

    def __init__(self, question: dict[str, Any], offset: str) -> None:
        self.id: str = question["runId"]
        self.thread_id: str = question["threadId"]
        self.offset = offset
        self.made_up = f"{'0' * len(offset.partition(':')[0])}:1"


@pytest.fixture
def ann(keys: KeyRing) -> Made:
    return keys.create(principal="ann")


@pytest.fixture
def bob(keys: KeyRing) -> Made:
    return keys.create(principal="bob")


@pytest.fixture
def run(server: Server, ann: Made, upstream: ThreadedUpstream) -> Iterator[Run]:
    upstream.say("mine ", "alone", hold=True)
    question = TANSTACK.body()
    with ask(server.url, body=question, headers=ann.headers) as answer:
        asked = upstream.received()
        asked.step()
        message = TANSTACK.messages(answer.until(b"mine ") + answer.until(b"\n\n", 3))[0]
        assert message.id is not None
        yield Run(question, message.id)
        asked.release()
        assert TANSTACK.text(answer.read()) == "mine alone"


def told(answer: Answer) -> tuple[int, bytes]:
    return answer.status, answer.read()


def same(mine: Answer, nobodys: Answer) -> int:
    """The status, of two answers that differ in nothing."""
    assert told(mine) == told(nobodys)
    return mine.status


@pytest.mark.parametrize("path", PATHS)
def test_a_run_and_its_offsets(server: Server, bob: Made, run: Run, path: str) -> None:
    unknown = 204 if path == "/api/chat/rais" else 404
    for offset in ("-1", "now", run.offset):
        other = run.made_up if offset == run.offset else offset
        for run_id, nobodys in ((f"&runId={run.id}", "&runId=never"), ("", "")):
            if not run_id and offset in ("-1", "now"):
                continue
            assert (
                same(
                    get(server.url, f"{path}?offset={offset}{run_id}", bob.headers),
                    get(server.url, f"{path}?offset={other}{nobodys}", bob.headers),
                )
                == unknown
            )
    mine = get(server.url, path, {**bob.headers, "last-event-id": run.offset})
    assert same(mine, get(server.url, path, {**bob.headers, "last-event-id": run.made_up})) == unknown


@pytest.mark.parametrize("wire", [RAIS, TANSTACK, TANSTACK_NDJSON, LEGACY], ids=label)
def test_a_question_that_resumes(server: Server, bob: Made, run: Run, wire: Wire, upstream: ThreadedUpstream) -> None:
    body = wire.body()
    mine, nobodys = (
        ask(server.url, wire.path, body, {**bob.headers, "last-event-id": offset})
        for offset in (run.offset, run.made_up)
    )
    assert same(mine, nobodys) in (204, 404)
    assert len(upstream.requests) == 1


def test_a_cancel(server: Server, ann: Made, bob: Made, run: Run) -> None:
    mine = ask(server.url, f"/api/chat/runs/{run.id}/cancel", headers=bob.headers)
    assert same(mine, ask(server.url, "/api/chat/runs/never/cancel", headers=bob.headers)) == 404


def test_the_same_run_id_is_a_run_of_ones_own(server: Server, bob: Made, run: Run, upstream: ThreadedUpstream) -> None:
    upstream.say("another")
    answer = ask(server.url, body=TANSTACK.body(run_id=run.id), headers=bob.headers)
    assert TANSTACK.text(answer.read()) == "another"


def test_a_cancel_of_ones_own_leaves_the_other_of_that_name(
    server: Server, bob: Made, run: Run, upstream: ThreadedUpstream
) -> None:
    upstream.say("another", hold="head")
    with ask(server.url, RAIS.path, TANSTACK.body(run_id=run.id), bob.headers):
        asked = upstream.received(2)
        assert ask(server.url, f"/api/chat/runs/{run.id}/cancel", headers=bob.headers).json["cancelled"] is True
        asked.wait_closed()  # and Ann reads hers to its end, after this


def test_a_thread(server: Server, bob: Made, run: Run, upstream: ThreadedUpstream) -> None:
    upstream.say("another")
    question = TANSTACK.body("Go on", threadId=run.thread_id)
    assert TANSTACK.text(ask(server.url, body=question, headers=bob.headers).read()) == "another"
    assert [message["content"] for message in upstream.received(2).body["messages"]] == ["Go on"]
    for more in ("", "&offset=-1"):
        mine, nobodys = (
            get(server.url, f"/api/chat?threadId={thread_id}{more}", bob.headers)
            for thread_id in (run.thread_id, "never")
        )
        assert same(mine, nobodys) in (400, 404)


def test_what_was_used(server: Server, keys: KeyRing, upstream: ThreadedUpstream) -> None:
    ann, bob = keys.create(principal="ann, anew"), keys.create(principal="bob, anew")
    upstream.say("Hello")
    ask(server.url, body=RAIS.body(), headers=ann.headers).read()
    while not (lines := get(server.url, "/usage", ann.headers).json["usage"]):  # written once the answer is told
        pass
    assert [line["runs"] for line in lines] == [1]
    for query in ("", f"?key={ann.id}", f"?key=tw_{ann.id}", "?principal=ann,+anew", "?principal=", "?by=principal"):
        assert get(server.url, f"/usage{query}", bob.headers).json["usage"] == []


def test_a_socket(server: Server, bob: Made, run: Run) -> None:
    for query in (f"?offset=-1&runId={run.id}", f"?offset={run.offset}&runId={run.id}", f"?offset={run.offset}"):
        with Socket(server.url, query, bob.headers) as socket:
            socket.rest()
            assert socket.was_closed == Closed(1008, "unknown_run")
            assert socket.messages == []


def test_an_abort_on_a_socket(server: Server, bob: Made, run: Run, upstream: ThreadedUpstream) -> None:
    upstream.say("another")
    with Socket(server.url, "", bob.headers) as socket:
        socket.abort(run.id)
        socket.send(TANSTACK.body())
        assert text_of(socket.until("RUN_FINISHED")) == "another"

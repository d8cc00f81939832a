"""Two servers on one SQLite file: each serves, resumes, stops and, when it must, ends what the other has begun."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tokenwire.testing import ThreadedUpstream

from ..server import Server
from .client import ask, get
from .sqlite_server import sqlite_server
from .test_sqlite_server import LOST
from .web_socket import Socket, types
from .wires import RAIS, TANSTACK, TANSTACK_NDJSON, Wire, frames, label

WORDS = ("one ", "two ", "three ", "four")

on_every_wire = pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_NDJSON, RAIS], ids=label)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def here(file: Path, upstream: ThreadedUpstream) -> Iterator[Server]:
    with sqlite_server(file, upstream) as server:
        yield server


@pytest.fixture
def there(file: Path, upstream: ThreadedUpstream) -> Iterator[Server]:
    with sqlite_server(file, upstream) as server:
        yield server


@on_every_wire
def test_a_run_is_joined_and_resumed_at_every_offset_of_the_other_server(
    upstream: ThreadedUpstream, here: Server, there: Server, wire: Wire
) -> None:
    upstream.say(*WORDS, hold=True)
    question = wire.body()
    with ask(here.url, wire.path, question) as first:
        request = upstream.received()
        later = []
        for word in WORDS[:3]:
            request.step()
            first.until(word.encode())
            offset = wire.messages(first.body)[-1].id
            later.append((first.body, ask(there.url, wire.path, question, {"last-event-id": str(offset)})))
        joined = get(there.url, f"{wire.path}?offset=-1&runId={first.headers['x-run-id']}")
        joined.until(WORDS[2].encode())
        request.release()
        whole = first.read()
    assert joined.read() == whole
    for seen, answer in later:
        assert answer.status == 200
        assert seen + answer.read() == whole
    assert wire.text(whole) == "".join(WORDS)
    for place, message in enumerate(wire.messages(whole)[:-1], 1):
        again = ask(there.url, wire.path, question, {"last-event-id": str(message.id)})
        assert again.read() == b"".join(frames(wire, whole)[place:])
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_NDJSON], ids=label)
def test_the_same_question_to_the_other_server_attaches(
    upstream: ThreadedUpstream, here: Server, there: Server, wire: Wire
) -> None:
    upstream.say("one ", "two", hold=True)
    question = wire.body()
    with ask(here.url, wire.path, question) as first:
        upstream.received().step()
        first.until(b"one ")
        with ask(there.url, wire.path, question) as second:
            second.until(b"one ")
            upstream.received().release()
            assert first.read() == second.read()
    assert ask(there.url, wire.path, question).read() == first.body
    assert len(upstream.requests) == 1


@on_every_wire
def test_a_stop_at_the_other_server_reaches_the_model_and_every_reader(
    upstream: ThreadedUpstream, here: Server, there: Server, wire: Wire
) -> None:
    upstream.say("so far", "never", hold=True)
    with ask(here.url, wire.path, wire.body()) as first:
        run_id = first.headers["x-run-id"]
        request = upstream.received()
        request.step()
        first.until(b"so far")
        with get(there.url, f"{wire.path}?offset=-1&runId={run_id}") as second:
            second.until(b"so far")
            assert ask(there.url, f"/api/chat/runs/{run_id}/cancel").json["cancelled"] is True
            assert first.read() == second.read()
    request.wait_closed()
    assert wire.finished(first.body)
    for server in (here, there):
        assert ask(server.url, f"/api/chat/runs/{run_id}/cancel").json["cancelled"] is False


def test_a_socket_to_the_other_server_joins_resumes_and_aborts(
    upstream: ThreadedUpstream, here: Server, there: Server
) -> None:
    upstream.say("so ", "far", "never", hold=True)
    question = TANSTACK.body(run_id="socket")
    with Socket(here.url) as first, Socket(there.url, "?offset=-1&runId=socket") as unknown:
        assert unknown.closed.code == 1008
        first.send(question)
        request = upstream.received()
        request.step(2)
        began = first.until_text("so far")
        with (
            Socket(there.url, "?offset=-1&runId=socket") as joined,
            Socket(there.url, f"?offset={began[1].id}&runId=socket") as resumed,
            Socket(there.url) as second,
        ):
            assert joined.until_text("so far") == began
            assert resumed.until_text("so far") == began[2:]
            second.send(question)
            assert second.until_text("so far") == began
            second.abort("socket")
            request.wait_closed()
            rest = joined.rest()
            assert joined.was_closed.code == 1000
            assert types(rest)[-1] == "RUN_FINISHED"
            assert resumed.rest() == first.until("RUN_FINISHED") == rest
    assert len(upstream.requests) == 1


def test_a_late_stop_at_the_other_server_does_not_touch_a_newer_run(
    upstream: ThreadedUpstream, here: Server, there: Server
) -> None:
    assert TANSTACK.finished(ask(here.url, body=TANSTACK.body(run_id="old")).read())
    upstream.say("one ", "two", hold=True)
    with ask(here.url, body=TANSTACK.body(run_id="new")) as answer:
        request = upstream.received(2)
        request.step()
        answer.until(b"one ")
        assert ask(there.url, "/api/chat/runs/old/cancel").json["cancelled"] is False
        assert ask(there.url, "/api/chat/runs/nobody/cancel").status == 404
        request.release()
        assert TANSTACK.text(answer.read()) == "one two"
    assert TANSTACK.finished(answer.body)


@on_every_wire
def test_who_loses_a_server_finds_the_rest_and_the_end_at_the_other(
    upstream: ThreadedUpstream, here: Server, there: Server, wire: Wire
) -> None:
    upstream.say("one ", "two ", "never", hold=True)
    question = wire.body()
    with ask(here.url, wire.path, question) as first:
        request = upstream.received()
        request.step()
        first.until(b"one ")
        seen = first.body
        with get(there.url, f"{wire.path}?offset=-1&runId={first.headers['x-run-id']}") as reader:
            request.step()
            reader.until(b"two ")
            here.process.kill()
            request.wait_closed()
            offset = wire.messages(seen)[-1].id
            back = ask(there.url, wire.path, question, {"last-event-id": str(offset)}).read()
            assert seen + back == reader.read()
    assert wire.text(reader.body) == "one two "
    assert wire.failure(reader.body) == LOST
    assert len(upstream.requests) == 1


@on_every_wire
@pytest.mark.parametrize("speaks", [True, False], ids=["the model speaks", "the model is silent"])
def test_a_server_that_was_asleep_says_what_the_other_has_written_in_its_stead(
    upstream: ThreadedUpstream, here: Server, there: Server, wire: Wire, speaks: bool
) -> None:
    upstream.say("one ", "late", "later", hold=True)
    with ask(here.url, wire.path, wire.body()) as first:
        run_id = first.headers["x-run-id"]
        request = upstream.received()
        request.step()
        first.until(b"one ")
        here.process.send_signal(signal.SIGSTOP)
        try:
            if speaks:
                request.step()
            with get(there.url, f"{wire.path}?offset=-1&runId={run_id}") as second:
                second.read()
        finally:
            here.process.send_signal(signal.SIGCONT)
        assert first.read() == second.body
    request.wait_closed()
    assert wire.text(first.body) == "one "
    assert wire.failure(first.body) == LOST
    upstream.say("awake")
    assert wire.text(ask(here.url, wire.path, wire.body()).read()) == "awake"

"""A server that leaves while another one serves the same runs: whoever comes back by himself is sent there."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import IncompleteRead
from pathlib import Path

import pytest

from tokenwire.testing import ThreadedUpstream

from ..server import Server, served
from .client import PATIENCE, ask, connect, get
from .web_socket import Closed, Socket, text_of
from .wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire, label

CONFIG = """
[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-of-small"
key_env = ""

[runs]
drain_seconds = 60
heartbeat_seconds = 0.1

[disconnect]
tanstack = "cancel"
"""

returning = pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_NDJSON], ids=label)


@contextmanager
def server(folder: Path, name: str, upstream: ThreadedUpstream) -> Iterator[Server]:
    config, log = folder / f"{name}.toml", folder / f"{name}.log"
    config.write_text(CONFIG.format(upstream=upstream.base_url))
    with served(log, "--config", config, "--store", f"sqlite:///{folder / 'runs.db'}") as server:
        yield server
    assert "Traceback" not in log.read_text(), log.read_text()
    assert "ERROR" not in log.read_text(), log.read_text()


@pytest.fixture
def stays(tmp_path: Path, upstream: ThreadedUpstream) -> Iterator[Server]:
    with server(tmp_path, "stays", upstream) as stays:
        yield stays


@pytest.fixture
def leaves(tmp_path: Path, upstream: ThreadedUpstream) -> Iterator[Server]:
    """Its test sends the signal."""
    with server(tmp_path, "leaves", upstream) as leaves:
        yield leaves
        assert leaves.process.wait(PATIENCE) == 0


def leave(server: Server) -> None:
    server.process.send_signal(signal.SIGTERM)


@returning
def test_who_comes_back_is_sent_on_and_misses_nothing(
    upstream: ThreadedUpstream, stays: Server, leaves: Server, wire: Wire
) -> None:
    upstream.say("one ", "two ", "three", hold=True)
    question = wire.body()
    with ask(leaves.url, wire.path, question) as answer:
        request = upstream.received()
        request.step()
        answer.until(b"one ")
        leave(leaves)
        seen = answer.read()
    offset = wire.messages(seen)[-1].id
    with ask(stays.url, wire.path, question, {"last-event-id": str(offset)}) as resumed:
        request.step()
        resumed.until(b"two ")
        request.release()
        whole = seen + resumed.read()
    assert wire.text(whole) == "one two three"
    assert wire.finished(whole)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("wire", [RAIS, LEGACY], ids=label)
def test_who_would_not_come_back_may_stay(
    upstream: ThreadedUpstream, stays: Server, leaves: Server, wire: Wire
) -> None:
    upstream.say("one ", "two", hold=True)
    with ask(leaves.url, wire.path, wire.body()) as answer, ask(leaves.url, body=TANSTACK.body()) as other:
        upstream.received(2)
        upstream.received().step()
        answer.until(b"one ")
        leave(leaves)
        other.read()
        for request in upstream.requests:
            request.release()
        assert wire.text(answer.read()) == "one two"
    assert get(stays.url, "/healthz").status == 200


@returning
def test_who_has_had_nothing_yet_is_not_sent_on_before_he_has(
    upstream: ThreadedUpstream, stays: Server, leaves: Server, wire: Wire
) -> None:
    upstream.say("one ", "two ", "three", hold=True)
    upstream.say("a reason to wait", hold=True)
    question = wire.body()
    with ask(stays.url, wire.path, question) as answer, ask(leaves.url, body=RAIS.body()) as reason:
        answer.until(b"RUN_STARTED")
        request = upstream.received()
        request.step()
        offset = wire.messages(answer.until(b"one "))[-1].id
        with ask(leaves.url, wire.path, question, {"last-event-id": str(offset)}) as reader:
            leave(leaves)
            reader.heartbeats(8)
            request.step()
            assert wire.text(reader.read()) == "two "
        upstream.received(2).release()
        assert RAIS.finished(reason.read())
        request.release()
        assert wire.text(answer.read()) == "one two three"


@returning
def test_who_never_gets_anything_is_cut_off_rather_than_told_of_an_end(
    upstream: ThreadedUpstream, stays: Server, leaves: Server, wire: Wire
) -> None:
    upstream.say("one ", "two", hold=True)
    question = wire.body()
    with ask(stays.url, wire.path, question) as answer:
        request = upstream.received()
        request.step()
        offset = wire.messages(answer.until(b"one "))[-1].id
        with ask(leaves.url, wire.path, question, {"last-event-id": str(offset)}) as reader:
            leave(leaves)
            with pytest.raises(IncompleteRead):
                reader.read()
        request.release()
        assert wire.text(answer.read()) == "one two"


def test_an_answer_of_the_other_server_is_read_to_its_end(
    upstream: ThreadedUpstream, stays: Server, leaves: Server
) -> None:
    upstream.say("one ", "two", hold=True)
    with ask(stays.url, body=RAIS.body()) as answer:
        request = upstream.received()
        request.step()
        answer.until(b"one ")
        run = answer.headers["x-run-id"]
        with (
            get(leaves.url, f"/api/chat/rais?offset=-1&runId={run}") as reader,
            connect(leaves.url) as silent,
        ):
            reader.until(b"one ")
            leave(leaves)
            assert silent.recv(1) == b""
            reader.heartbeats(3)
            request.release()
            assert RAIS.text(reader.read()) == "one two"
            assert RAIS.finished(reader.body)


def test_a_socket_that_is_opened_again_is_closed(upstream: ThreadedUpstream, stays: Server, leaves: Server) -> None:
    upstream.say("one ", "two", hold=True)
    upstream.say("one ", "two", hold=True)
    with Socket(leaves.url) as idle, Socket(leaves.url) as socket:
        idle.send(TANSTACK.body(run_id="run-quick"))
        upstream.received().release()
        idle.until("RUN_FINISHED")
        socket.send(TANSTACK.body(run_id="run-slow"))
        request = upstream.received(2)
        request.step()
        seen = socket.until_text("one ")
        leave(leaves)
        assert socket.closed == idle.closed == Closed(1012, "shutting_down")
    with Socket(stays.url, f"?runId=run-slow&offset={seen[-1].id}") as resumed:
        request.release()
        assert text_of(resumed.rest()) == "two"
        assert resumed.was_closed.code == 1000


def test_a_socket_that_is_not_opened_again_may_stay(upstream: ThreadedUpstream, stays: Server, leaves: Server) -> None:
    upstream.say("one ", "two", hold=True)
    with Socket(leaves.url) as socket, Socket(leaves.url) as other:
        socket.send(RAIS.body())
        request = upstream.received()
        request.step()
        socket.until_text("one ")
        other.send(TANSTACK.body())
        other.read()
        leave(leaves)
        other.rest()
        assert other.was_closed == Closed(1012, "shutting_down")
        request.release()
        assert text_of(socket.rest()) == "two"
        assert socket.was_closed.code == 1000
    assert get(stays.url, "/healthz").status == 200

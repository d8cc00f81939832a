"""A server that is told to stop while it is talking: SIGTERM costs nobody an answer, a second signal is meant."""

import json
import signal
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tokenwire.testing import ThreadedUpstream

from ..over_http.client import PATIENCE, Answer, ask, connect
from ..over_http.wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire, label
from .command import Serving, serving

CONFIG = """
[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "scripted"
key_env = ""

[runs]
drain_seconds = {drain_seconds}
"""


@pytest.fixture
def drain_seconds() -> float:
    return 60.0


@pytest.fixture
def server(upstream: ThreadedUpstream, tmp_path: Path, drain_seconds: float) -> Iterator[Serving]:
    config, errors = tmp_path / "tokenwire.toml", tmp_path / "errors"
    config.write_text(CONFIG.format(upstream=upstream.base_url, drain_seconds=drain_seconds))
    with serving(errors, "--config", config) as server:
        yield server
        assert server.process.wait(PATIENCE) == 0
    assert "Traceback" not in errors.read_text()
    assert "ERROR" not in errors.read_text()


class Kept:
    """A connection that is kept open between requests."""

    def __init__(self, connections: ExitStack, url: str) -> None:
        self._connection = connections.enter_context(closing(HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)))
        self._connection.connect()

    def health(self) -> tuple[int, str]:
        """The answer a balancer looks at."""
        self._connection.request("GET", "/healthz")
        response = self._connection.getresponse()
        return response.status, json.load(response)["status"]

    def ask(self, body: Any) -> Answer:
        """The last request."""
        self._connection.request("POST", "/api/chat", json.dumps(body))
        return Answer(self._connection, self._connection.getresponse())

    def wait_closed(self) -> None:
        """Returns once the server has closed it."""
        if self._connection.sock is not None:  # else it was told to, with the last answer
            assert self._connection.sock.recv(1) == b""


class Late:
    """A question that the server has but for its last byte."""

    def __init__(self, connections: ExitStack, url: str, body: Any, **headers: str) -> None:
        self._connection = connections.enter_context(closing(HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)))
        content = json.dumps(body).encode()
        self._connection.putrequest("POST", "/api/chat")
        for name, value in {"content-length": str(len(content)), **headers}.items():
            self._connection.putheader(name.replace("_", "-"), value)
        self._connection.endheaders(content[:-1])
        self._last = content[-1:]

    def complete(self) -> Answer:
        self._connection.send(self._last)
        return Answer(self._connection, self._connection.getresponse())


@pytest.fixture
def connections() -> Iterator[ExitStack]:
    """Closes them, after all."""
    with ExitStack() as connections:
        yield connections


def tell(server: Serving, number: signal.Signals = signal.SIGTERM) -> None:
    """Sends the signal, and returns once no more connections are taken."""
    server.process.send_signal(number)
    while (connection := knock(server.url)) is not None:
        connection.close()


def knock(url: str) -> socket.socket | None:
    """A connection, if anybody takes it."""
    address = urlsplit(url)
    connection = socket.socket()
    connection.settimeout(PATIENCE)
    if connection.connect_ex((address.hostname, address.port)) == 0:
        return connection
    connection.close()
    return None


@pytest.mark.parametrize("wire", [RAIS, TANSTACK, TANSTACK_NDJSON, LEGACY], ids=label)
def test_answers_under_way_are_finished(upstream: ThreadedUpstream, server: Serving, wire: Wire) -> None:
    upstream.say("one ", "two", hold=True)
    with ask(server.url, wire.path, wire.body()) as answer:
        request = upstream.received()
        request.step()
        answer.until(b"one ")
        tell(server)
        request.release()
        body = answer.read()
    assert wire.finished(body)
    assert wire.text(body) == "one two"


def test_a_connection_from_before_still_brings_a_question(
    upstream: ThreadedUpstream, server: Serving, connections: ExitStack
) -> None:
    """It may have been on its way: whoever closes or refuses now costs a request that a proxy does not repeat."""
    fresh, used = Kept(connections, server.url), Kept(connections, server.url)
    assert used.health() == (200, "ok")
    upstream.say("one ", "two", hold=True)
    upstream.say("three")
    tell(server)
    first = fresh.ask(TANSTACK.body())
    assert first.headers["connection"] == "close"
    second = used.ask(TANSTACK.body())
    assert second.headers["connection"] == "close"
    assert TANSTACK.text(second.read()) == "three"
    upstream.received().release()
    assert TANSTACK.text(first.read()) == "one two"


def test_a_balancer_is_told_at_once(server: Serving, connections: ExitStack) -> None:
    balancer = Kept(connections, server.url)
    assert balancer.health() == (200, "ok")
    tell(server)
    assert balancer.health() == (503, "leaving")
    balancer.wait_closed()


def test_no_run_is_begun_any_more_but_those_under_way_are_found(
    upstream: ThreadedUpstream, server: Serving, connections: ExitStack
) -> None:
    upstream.say("one ", "two", hold=True)
    question = TANSTACK.body()
    with ask(server.url, body=question) as answer:
        request = upstream.received()
        request.step()
        seen = answer.until(b"one ")
        offset = TANSTACK.messages(seen)[-1].id
        assert offset is not None
        new, again, resumed = (
            Late(connections, server.url, TANSTACK.body()),
            Late(connections, server.url, question),
            Late(connections, server.url, question, last_event_id=offset),
        )
        idle = Kept(connections, server.url)
        assert idle.health() == (200, "ok")
        tell(server)
        idle.wait_closed()
        refusal = new.complete()
        assert refusal.status == 503
        assert TANSTACK.told(refusal) == "The server is shutting down."
        readers = [again.complete(), resumed.complete()]
        assert [reader.status for reader in readers] == [200, 200]
        request.release()
        whole = answer.read()
    assert TANSTACK.text(whole) == "one two"
    assert readers[0].read() == whole
    assert seen + readers[1].read() == whole
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("drain_seconds", [0])
@pytest.mark.parametrize("wire", [RAIS, TANSTACK_NDJSON, LEGACY], ids=label)
def test_when_the_time_is_over_whoever_reads_is_told(upstream: ThreadedUpstream, server: Serving, wire: Wire) -> None:
    upstream.say("so far", "never", hold=True)
    with ask(server.url, wire.path, wire.body()) as answer:
        request = upstream.received()
        request.step()
        answer.until(b"so far")
        tell(server)
        body = answer.read()
    request.wait_closed()
    assert wire.text(body) == "so far"
    assert wire.failure(body) == "The server is shutting down."


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_second_signal_is_meant(upstream: ThreadedUpstream, server: Serving, second: signal.Signals) -> None:
    upstream.say("so far", "never", hold=True)
    with ask(server.url, body=RAIS.body()) as answer:
        upstream.received().step()
        answer.until(b"so far")
        tell(server)
        server.process.send_signal(second)
        body = answer.read()
    assert RAIS.failure(body) == "The server is shutting down."


def test_who_says_nothing_holds_nothing_up(server: Serving) -> None:
    with connect(server.url) as silent, connect(server.url) as half:
        half.sendall(b"POST /api/chat HTTP/1.1\r\nhost: x\r\n")
        tell(server)
        assert silent.recv(1) == b""
        assert half.recv(1) == b""


def test_a_reader_of_another_pace_gets_the_end(upstream: ThreadedUpstream, server: Serving) -> None:
    """The run is over long before its reader has read it: that alone keeps the process."""
    words = ["x" * 2000] * 2000
    upstream.say(*words)
    with ask(server.url, body=TANSTACK.body(), receive_buffer=4096) as answer:
        upstream.received().wait_finished()
        tell(server)
        assert TANSTACK.text(answer.read()) == "".join(words)


def test_whoever_was_let_in_is_answered(upstream: ThreadedUpstream, server: Serving, connections: ExitStack) -> None:
    upstream.say("one ", "two", hold=True)
    question = json.dumps(TANSTACK.body()).encode()
    head = b"POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(question)
    last: deque[socket.socket] = deque(maxlen=50)
    server.process.send_signal(signal.SIGTERM)
    while (connection := knock(server.url)) is not None:
        if len(last) == last.maxlen:
            last.popleft().close()
        last.append(connections.enter_context(connection))
    for connection in last:
        connection.sendall(head + question)
    upstream.received().release()
    assert {connection.recv(15) for connection in last} == {b"HTTP/1.1 200 OK"}
    assert len(upstream.requests) == 1

"""What the command does to a key, seen by every process of a server."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tokenwire.testing import ThreadedUpstream

from ..cli.command import Serving, serving, tokenwire
from ..cli.test_workers import holder, reaped, until, workers
from ..over_http.client import Answer, connect
from ..over_http.web_socket import Closed, Socket
from ..over_http.wires import RAIS, TANSTACK, TANSTACK_NDJSON
from .conftest import CONFIG, SHARED

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="there is no /proc")


class Command(NamedTuple):
    """``tokenwire keys`` on a store."""

    store: str

    def create(self, *more: str) -> tuple[str, str]:
        """The public id of a new key, and its text."""
        return self._issued("create", *more)

    def rotate(self, key_id: str) -> str:
        """The new text."""
        return self._issued("rotate", key_id)[1]

    def revoke(self, key_id: str) -> None:
        self._run("revoke", key_id)

    def _issued(self, *arguments: str) -> tuple[str, str]:
        told = json.loads(self._run(*arguments, "--json"))
        return told["id"], told["key"]

    def _run(self, *arguments: str) -> str:
        done = tokenwire("keys", *arguments, "--store", self.store)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


class Workers:
    """The two processes of a server, which it is left to chance to meet."""

    def __init__(self, server: Serving) -> None:
        self._url = server.url
        self.pids = workers(server)

    def ask(self, text: str, method: str, path: str, body: object = None) -> tuple[int, Answer]:
        """An answer to whom holds a key, and the process that gives it."""
        connection = HTTPConnection(urlsplit(self._url).netloc)
        connection.sock = connect(self._url)
        headers = {"authorization": f"Bearer {text}", "content-type": "application/json"}
        connection.request(method, path, json.dumps(body).encode() if body is not None else None, headers)
        socket = connection.sock
        response = connection.getresponse()
        return holder(self.pids, socket), Answer(connection, response)

    def open(self, text: str, query: str, stack: ExitStack) -> tuple[int, Socket]:
        """A socket of whom holds a key, and the process that has it."""
        socket = stack.enter_context(Socket(self._url, query, {"authorization": f"Bearer {text}"}))
        return holder(self.pids, socket.connection.socket), socket

    def statuses(self, text: str) -> set[int]:
        """What each of them answers to whom holds a key."""
        told: dict[int, int] = {}
        while told.keys() != self.pids:
            pid, answer = self.ask(text, "GET", "/models")
            answer.close()
            told[pid] = answer.status
        return set(told.values())


@pytest.fixture
def command(store: str) -> Command:
    return Command(store)


@pytest.fixture
def both(store: str, upstream: ThreadedUpstream, tmp_path: Path) -> Iterator[Workers]:
    config, errors = tmp_path / "tokenwire.toml", tmp_path / "errors"
    config.write_text(CONFIG.format(store=store, upstream=upstream.base_url))
    with serving(errors, "--config", config, "--workers", "2", env={"SHARED": SHARED}) as server, reaped(server):
        both = Workers(server)
        assert len(both.pids) == 2
        yield both
    assert "Traceback" not in errors.read_text(), errors.read_text()


def test_a_new_key_opens_every_worker_at_once(both: Workers, command: Command) -> None:
    _, text = command.create()
    assert both.statuses(text) == {200}


def test_a_revoked_key_opens_none(both: Workers, command: Command) -> None:
    (key_id, text), (_, other) = command.create(), command.create()
    assert both.statuses(text) == {200}
    command.revoke(key_id)
    until(lambda: both.statuses(text) == {401})
    assert both.statuses(other) == {200}


def test_a_rotated_key_opens_every_worker_by_its_new_secret_alone(both: Workers, command: Command) -> None:
    key_id, old = command.create()
    assert both.statuses(old) == {200}
    new = command.rotate(key_id)
    until(lambda: both.statuses(new) == {200})
    assert both.statuses(old) == {401}


def test_a_revocation_ends_what_any_worker_answers(both: Workers, command: Command, upstream: ThreadedUpstream) -> None:
    (key_id, text), (_, other) = command.create(), command.create()
    with ExitStack() as streams:

        def begin(key: str) -> tuple[int, Answer]:
            upstream.say("one ", "two", hold=True)
            pid, answer = both.ask(key, "POST", RAIS.path, RAIS.body())
            streams.enter_context(answer)
            upstream.received(len(upstream.requests)).step()
            answer.until(b"one ")
            return pid, answer

        _, untouched = begin(other)
        answers = [begin(text)]
        while {pid for pid, _ in answers} != both.pids:
            answers.append(begin(text))
        command.revoke(key_id)
        assert {RAIS.failure(answer.read()) for _, answer in answers} == {"This key is no longer valid."}
        upstream.received(1).release()
        assert RAIS.text(untouched.read()) == "one two"


def test_a_revocation_sends_readers_away_from_every_worker(
    both: Workers, command: Command, upstream: ThreadedUpstream
) -> None:
    (key_id, text), (_, other) = command.create("--principal", "ann"), command.create("--principal", "ann")
    question = TANSTACK.body()
    joins = f"{TANSTACK_NDJSON.path}?offset=-1&runId={question['runId']}"
    joined: dict[int, Answer] = {}
    sockets: dict[int, Socket] = {}
    upstream.say("one ", "two", hold=True)
    with ExitStack() as streams:
        _, untouched = both.ask(other, "POST", TANSTACK.path, question)
        streams.enter_context(untouched)
        upstream.received().step()
        untouched.until(b"one ")
        while joined.keys() != both.pids:
            pid, answer = both.ask(text, "GET", joins)
            joined[pid] = streams.enter_context(answer)
            answer.until(b"one ")
        while sockets.keys() != both.pids:
            pid, socket = both.open(text, f"?offset=-1&runId={question['runId']}", streams)
            sockets[pid] = socket
            socket.until_text("one ")
        command.revoke(key_id)
        for answer in joined.values():
            assert TANSTACK_NDJSON.failure(answer.read()) == "This key is no longer valid."
        for socket in sockets.values():
            assert socket.closed == Closed(4401, "unauthenticated")
        upstream.received().release()
        assert TANSTACK.text(untouched.read()) == "one two"

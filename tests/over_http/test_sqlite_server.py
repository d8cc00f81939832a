"""A server on an SQLite file: what it has said survives it, and a file that cannot be written costs no answer."""

import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from ..cli.command import tokenwire
from ..server import Server
from .client import Answer, ask, get
from .sqlite_server import sqlite_server
from .wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire, frames, label

LOST = "The answer broke off: the server that was making it is gone."
UNAVAILABLE = "The server cannot keep answers at the moment. Try again in a moment."

on_every_wire = pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_NDJSON, RAIS], ids=label)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def join(server: Server, wire: Wire, run_id: str) -> Answer:
    return get(server.url, f"{wire.path}?offset=-1&runId={run_id}")


# death


@on_every_wire
def test_a_run_of_a_killed_server_ends_once_for_whoever_comes_back(
    upstream: ThreadedUpstream, file: Path, wire: Wire
) -> None:
    upstream.say("one ", "two ", "never", hold=True)
    question = wire.body(run_id="killed")
    with sqlite_server(file, upstream) as server, ask(server.url, wire.path, question) as first:
        run_id = first.headers["x-run-id"]
        upstream.received().step(2)
        first.until(b"two ")
        server.process.kill()
        upstream.received().wait_closed()
    seen = wire.messages(first.body)
    with sqlite_server(file, upstream) as server:
        whole = join(server, wire, run_id).read()
        assert whole.startswith(first.body)
        assert wire.text(whole) == "one two "
        assert wire.failure(whole) == LOST
        terminals = [message for message in wire.messages(whole) if message.event["type"] in ("RUN_ERROR", "error")]
        assert len(terminals) == 1
        for place, message in enumerate(seen, 1):
            again = ask(server.url, wire.path, question, {"last-event-id": str(message.id)}).read()
            assert again == b"".join(frames(wire, whole)[place:])
        if wire is not RAIS:  # whose clients name no run
            assert ask(server.url, wire.path, question).read() == whole
        upstream.say("a new answer")
        assert wire.text(ask(server.url, wire.path, wire.body()).read()) == "a new answer"
    assert len(upstream.requests) == 2


def test_whoever_comes_back_before_the_end_is_noticed_waits_for_it(upstream: ThreadedUpstream, file: Path) -> None:
    upstream.say("one ", "never", hold=True)
    with (
        sqlite_server(file, upstream, lease_seconds=4) as server,
        ask(server.url, body=TANSTACK.body(run_id="killed")) as first,
    ):
        upstream.received().step()
        first.until(b"one ")
        server.process.kill()
        upstream.received().wait_closed()
    with sqlite_server(file, upstream, lease_seconds=4) as server, join(server, TANSTACK, "killed") as joined:
        joined.until(b"one ")
        assert TANSTACK.failure(joined.read()) == LOST


@pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_NDJSON, LEGACY], ids=label)
@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_a_finished_run_survives_whole(upstream: ThreadedUpstream, file: Path, wire: Wire, kill: bool) -> None:
    upstream.say("one ", "two")
    question = wire.body(run_id="finished")
    with sqlite_server(file, upstream) as server:
        answer = ask(server.url, wire.path, question)
        whole = answer.read()
        run_id = answer.headers["x-run-id"]
        if kill:
            server.process.kill()
    with sqlite_server(file, upstream) as server:
        assert join(server, wire, run_id).read() == whole
        assert ask(server.url, f"/api/chat/runs/{run_id}/cancel").json == {"runId": run_id, "cancelled": False}
    assert len(upstream.requests) == 1


# a file that cannot be written


class Disk:
    """What a server may write: nothing, while it is full. Its log is shorter than what its store has written."""

    def __init__(self, server: Server) -> None:
        self._process = server.process.pid
        self._before = resource.prlimit(self._process, resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        resource.prlimit(self._process, resource.RLIMIT_FSIZE, (16 * 1024, self._before[1]))

    def free(self) -> None:
        resource.prlimit(self._process, resource.RLIMIT_FSIZE, self._before)


needs_limits = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of other processes are Linux's")


def refused(server: Server) -> None:
    """A new run is, before any byte of an answer."""
    for wire in (TANSTACK, RAIS):
        answer = ask(server.url, wire.path, wire.body())
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        assert wire.told(answer) == UNAVAILABLE


def when_back(server: Server, wire: Wire) -> bytes:
    """The answer of a server that refuses at first."""
    while True:
        answer = ask(server.url, wire.path, wire.body())
        if answer.status == 200:
            return answer.read()


@needs_limits
@on_every_wire
def test_a_run_under_way_waits_for_room_and_loses_nothing(upstream: ThreadedUpstream, file: Path, wire: Wire) -> None:
    upstream.say("one ", "two ", "three", hold=True)
    with sqlite_server(file, upstream, heartbeat_seconds=0.2) as server:
        disk = Disk(server)
        with ask(server.url, wire.path, wire.body()) as answer:
            request = upstream.received()
            request.step()
            answer.until(b"one ")
            disk.fill()
            request.step()
            answer.heartbeats(1)
            refused(server)
            assert b"two " not in answer.body
            disk.free()
            answer.until(b"two ")
            request.release()
            assert wire.text(answer.read()) == "one two three"
            assert wire.finished(answer.body)
        assert len(upstream.requests) == 1
        upstream.say("well again")
        assert wire.text(when_back(server, wire)) == "well again"


@needs_limits
@on_every_wire
def test_a_run_that_waits_for_room_too_long_ends_once(upstream: ThreadedUpstream, file: Path, wire: Wire) -> None:
    upstream.say("one ", "never", hold=True)
    with sqlite_server(file, upstream, store_seconds=1) as server:
        disk = Disk(server)
        with ask(server.url, wire.path, wire.body()) as answer:
            run_id = answer.headers["x-run-id"]
            request = upstream.received()
            request.step()
            answer.until(b"one ")
            disk.fill()
            request.step()
            answer.read()
            request.wait_closed()
        assert wire.text(answer.body) == "one "
        assert wire.failure(answer.body) == UNAVAILABLE
        refused(server)
        disk.free()
        upstream.say("well again")
        assert wire.text(when_back(server, wire)) == "well again"
        with join(server, wire, run_id) as joined:
            assert wire.failure(joined.read()) == LOST
        assert wire.text(joined.body) == "one "


@needs_limits
def test_a_model_that_says_more_than_can_be_kept_has_to_wait(upstream: ThreadedUpstream, file: Path) -> None:
    flood = ["x" * 4000] * 5000
    with sqlite_server(file, upstream, store_seconds=30, heartbeat_seconds=0.2) as server:
        disk = Disk(server)
        disk.fill()
        refused(server)
        disk.free()
        when_back(server, TANSTACK)
        upstream.reply(Reply(text=flood, hold="head"))
        with ask(server.url, body=TANSTACK.body()) as answer:
            request = upstream.received(len(upstream.requests))
            disk.fill()
            request.release()
            answer.heartbeats(2)
            refused(server)
            assert request.sent < len(flood)
            disk.free()
            assert TANSTACK.text(answer.read()) == "".join(flood)
        request.wait_finished()


def test_a_locked_file_is_waited_for(upstream: ThreadedUpstream, file: Path) -> None:
    upstream.say("one ", "two", hold=True)
    with sqlite_server(file, upstream) as server, closing(sqlite3.connect(file, isolation_level=None)) as other:
        with ask(server.url, body=TANSTACK.body()) as answer:
            request = upstream.received()
            request.step()
            answer.until(b"one ")
            other.execute("BEGIN EXCLUSIVE")
            request.release()
            assert ask(server.url, body=TANSTACK.body()).status == 503
            other.execute("COMMIT")
            assert TANSTACK.text(answer.read()) == "one two"
        assert TANSTACK.finished(answer.body)
        assert TANSTACK.finished(when_back(server, TANSTACK))


# the start


def test_the_file_is_its_owners_alone(upstream: ThreadedUpstream, file: Path) -> None:
    with sqlite_server(file, upstream) as server:
        ask(server.url, body=TANSTACK.body()).read()
        assert {path.stat().st_mode & 0o777 for path in file.parent.glob("runs.db*")} == {0o600}


@pytest.mark.parametrize(
    ("store", "reason"),
    [
        ("sqlite:///{folder}/missing/runs.db", "No such file or directory"),
        ("sqlite:///{folder}/letter", "not a database"),
        ("sqlite:///{folder}/newer.db", "format 99"),
        ("postgres://u:hunter2-canary@host/db", "store: "),
        ("redis://u:hunter2-canary@127.0.0.1:1", "redis://127.0.0.1:1"),
    ],
)
def test_a_store_that_cannot_be_had_ends_the_start_with_one_line(tmp_path: Path, store: str, reason: str) -> None:
    (tmp_path / "letter").write_text("Dear friend, this is no database. " * 100)
    with closing(sqlite3.connect(tmp_path / "newer.db")) as db:
        db.execute("PRAGMA user_version = 99")
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    ended = tokenwire("serve", "--port", "0", "--store", store.format(folder=tmp_path), env=env)
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert reason in line
    assert "hunter2-canary" not in line

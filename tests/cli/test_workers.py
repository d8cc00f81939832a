"""Several processes on one port, and what happens to each when one of them dies or is replaced."""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tokenwire.testing import ThreadedUpstream

from ..over_http.client import PATIENCE, ask, connect, get
from ..over_http.wires import RAIS, TANSTACK
from .command import Serving, serving, tokenwire

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="there is no /proc")

CONFIG = """
[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "scripted"
key_env = ""

[runs]
lease_seconds = 1
"""


@pytest.fixture
def config(tmp_path: Path, upstream: ThreadedUpstream) -> Path:
    config = tmp_path / "tokenwire.toml"
    config.write_text(CONFIG.format(upstream=upstream.base_url))
    return config


@pytest.fixture
def server(tmp_path: Path, config: Path) -> Iterator[Serving]:
    errors = tmp_path / "errors"
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    with serving(errors, "--config", config, "--workers", "2", "--store", store) as server, reaped(server):
        yield server
    assert "Traceback" not in errors.read_text(), errors.read_text()


@contextmanager
def reaped(server: Serving) -> Iterator[None]:
    """A test that fails leaves none of the processes behind."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.process.pid, signal.SIGKILL)


def workers(server: Serving) -> set[int]:
    """The processes of a server that serve."""
    pid = server.process.pid
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def alive(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def until(condition: Callable[[], bool]) -> None:
    """Returns once a condition on other processes holds: they do not call us."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def holder(pids: set[int], connection: socket.socket) -> int:
    """The process at the other end of a connection."""
    ends = [f":{port:04X}" for _, port in (connection.getpeername(), connection.getsockname())]
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    (inode,) = [row[9] for row in rows if [row[1][8:], row[2][8:]] == ends]
    (pid,) = [pid for pid in pids if any(_links(fd) == f"socket:[{inode}]" for fd in Path(f"/proc/{pid}/fd").iterdir())]
    return pid


def _links(path: Path) -> str:
    with suppress(FileNotFoundError):
        return str(path.readlink())
    return ""


@pytest.mark.parametrize("store", [[], ["--store", "memory"]], ids=["default", "memory"])
def test_a_store_of_one_process_is_not_enough_for_two(store: list[str], config: Path) -> None:
    run = tokenwire("serve", "--port", "0", "--config", config, "--workers", "2", *store)
    assert (run.returncode, run.stdout) == (2, "")
    (line,) = run.stderr.splitlines()
    assert "--workers 2" in line
    assert "--store sqlite:///FILE" in line


@pytest.mark.parametrize("count", ["0", "-1", "two", ""])
def test_a_number_of_workers_that_is_none(count: str) -> None:
    run = tokenwire("serve", f"--workers={count}")
    assert run.returncode == 2
    assert "--workers" in run.stderr


def test_workers_that_cannot_start_are_not_tried_for_ever(config: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'nowhere' / 'runs.db'}"
    run = tokenwire("serve", "--port", "0", "--config", config, "--workers", "2", "--store", store)
    assert (run.returncode, run.stdout) == (2, "")
    assert "Traceback" not in run.stderr


def test_every_worker_serves(upstream: ThreadedUpstream, server: Serving) -> None:
    pids = workers(server)
    assert len(pids) == 2
    served: set[int] = set()
    while served != pids:
        with connect(server.url) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
            served.add(holder(pids, connection))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_stop_stops_all(upstream: ThreadedUpstream, server: Serving, number: signal.Signals) -> None:
    upstream.say("one ", "two", hold=True)
    pids = workers(server)
    with ask(server.url, body=RAIS.body()) as answer:
        request = upstream.received()
        request.step()
        answer.until(b"one ")
        server.process.send_signal(number)
        until(lambda: not listens(server.url))
        if number == signal.SIGTERM:
            request.release()
        body = answer.read()
    if number == signal.SIGTERM:
        assert RAIS.finished(body)
    else:
        assert RAIS.failure(body) == "The server is shutting down."
    assert server.process.wait(PATIENCE) == 0
    assert not any(map(alive, pids))


def listens(url: str) -> bool:
    """Whether anybody takes connections there."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_workers_are_replaced_one_by_one(upstream: ThreadedUpstream, server: Serving) -> None:
    upstream.say("one ", "two", hold=True)
    old = workers(server)
    with ask(server.url, body=RAIS.body()) as answer:
        request = upstream.received()
        request.step()
        answer.until(b"one ")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: bool(workers(server) - old))
        assert len(workers(server) & old) >= 1
        request.release()
        assert RAIS.text(answer.read()) == "one two"
    until(lambda: not workers(server) & old)
    until(lambda: len(workers(server)) == 2)
    assert get(server.url, "/healthz").status == 200
    assert server.stop(signal.SIGTERM) == 0


def test_a_replacement_that_does_not_start_replaces_nobody(server: Serving, config: Path, tmp_path: Path) -> None:
    old = workers(server)
    config.write_text("colour = 1")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: "the old ones stay" in (tmp_path / "errors").read_text())
    assert workers(server) == old
    assert get(server.url, "/healthz").status == 200


def test_a_worker_that_dies_is_replaced_and_its_readers_are_told(upstream: ThreadedUpstream, server: Serving) -> None:
    upstream.say("one ", "never", hold=True)
    old = workers(server)
    question = TANSTACK.body()
    content = json.dumps(question).encode()
    seen = b""
    with connect(server.url) as connection:
        connection.sendall(b"POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(content) + content)
        upstream.received().step()
        while b"one " not in seen:
            seen += connection.recv(65536)
        dead = holder(old, connection)
        os.kill(dead, signal.SIGKILL)
    offset = re.findall(rb"id: (\S+)", seen)[-1].decode()
    with ask(server.url, body=question, headers={"last-event-id": offset}) as resumed:
        (terminal,) = TANSTACK.messages(resumed.read())
    assert (terminal.event["type"], terminal.event["code"]) == ("RUN_ERROR", "producer_lost")
    until(lambda: len(workers(server)) == 2)
    assert workers(server) & old == old - {dead}
    assert len(upstream.requests) == 1


def test_workers_do_not_outlive_their_supervisor(upstream: ThreadedUpstream, server: Serving) -> None:
    upstream.say("one ", "two", hold=True)
    pids = workers(server)
    with ask(server.url, body=RAIS.body()) as answer:
        request = upstream.received()
        request.step()
        answer.until(b"one ")
        server.process.kill()
        until(lambda: not listens(server.url))
        request.release()
        assert RAIS.text(answer.read()) == "one two"
    until(lambda: not any(map(alive, pids)))

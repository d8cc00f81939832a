"""Whoever may see the metrics gets those of all workers; nobody else gets any."""

import asyncio
import contextlib
import http.client
import os
import random
import re
import signal
import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tokenwire.config import load
from tokenwire.config.observe import Metrics as MetricsConfig
from tokenwire.errors import ConfigError
from tokenwire.observe import scrape
from tokenwire.testing import Reply, ThreadedUpstream

from ..conftest import Serve
from ..over_http.client import ask, get
from ..server import Server

MODEL = """
[models.fast]
provider = "openai-compatible"
base_url = "{upstream}"
model = "any"
"""
TOKEN = "of-the-scraper-4f1d9c"
QUESTION = {"messages": [{"role": "user", "content": "Hello"}]}


def scraped(port: int, path: str = "/metrics", method: str = "GET", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def port_of(server: Server) -> int:
    found = re.search(r"metrics at http://127\.0\.0\.1:(\d+)/metrics", server.log.read_text())
    assert found is not None
    return int(found[1])


def free_port() -> int:
    """A port that nobody is given who asks for any."""
    while True:
        port = random.randrange(20_000, 30_000)  # noqa: S311
        with socket.socket() as holder, contextlib.suppress(OSError):
            holder.bind(("127.0.0.1", port))
            return port


def total(page: str, name: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name
    )


def workers(page: str) -> set[str]:
    return {sample.labels["worker"] for family in text_string_to_metric_families(page) for sample in family.samples}


def test_a_port_of_their_own(upstream: ThreadedUpstream, serve: Serve) -> None:
    upstream.default = Reply(text=("a", "b"))
    server = serve(MODEL + "[metrics]\nport = 0\n")
    ask(server.url, body=QUESTION).read()
    port = port_of(server)
    status, page = scraped(port)
    assert status == 200
    assert total(page, "tokenwire_runs_started_total") == 1
    assert total(page, "tokenwire_attempts_total") == 1
    assert workers(page) == {str(server.process.pid)}
    assert scraped(port, "/metrics?anything")[0] == 200
    assert scraped(port, "/")[0] == 404
    assert scraped(port, method="POST")[0] == 405
    assert get(server.url, "/metrics").status == 404


@pytest.mark.parametrize("head", [b"\r\n\r\n", b"GET /metrics\r\n\r\n", b"x" * 20_000, b"\xff \xff \xff\r\n\r\n"])
def test_bad_http_ends_its_connection_and_nothing_else(serve: Serve, head: bytes) -> None:
    server = serve(MODEL + "[metrics]\nport = 0\n")
    port = port_of(server)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head)
        try:
            while connection.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert scraped(port)[0] == 200


@pytest.mark.anyio
async def test_who_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "_HEAD_SECONDS", 0.01)
    port = free_port()
    page = scrape.Page(MetricsConfig(port=port, host="127.0.0.1", token=None), list, None)
    async with page.serving(), asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()


def test_guarded_at_the_main_one(serve: Serve) -> None:
    server = serve(MODEL + '[metrics]\ntoken_env = "SCRAPER"\n', SCRAPER=TOKEN)
    assert get(server.url, "/metrics").status == 401
    for wrong in ("", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"):
        answer = get(server.url, "/metrics", headers={"authorization": wrong})
        assert answer.status == 401
        assert b"tokenwire_" not in answer.body
    answer = get(server.url, "/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status == 200
    assert b"tokenwire_runs_started" in answer.body
    assert TOKEN not in server.log.read_text()


def test_a_token_guards_their_own_port_as_well(serve: Serve) -> None:
    server = serve(MODEL + '[metrics]\nport = 0\ntoken_env = "SCRAPER"\n', SCRAPER=TOKEN)
    assert scraped(port_of(server))[0] == 401
    assert scraped(port_of(server), authorization=f"bearer {TOKEN}")[0] == 200


def test_every_worker_tells_of_all(upstream: ThreadedUpstream, serve: Serve, tmp_path: Path) -> None:
    upstream.default = Reply(text=("a", "b"))
    port = free_port()
    config = f'store = "sqlite:///{tmp_path}/runs.db"\n{MODEL}[metrics]\nport = {port}\n'
    server = serve(config, "--workers", "2")
    for _ in range(8):
        ask(server.url, body=QUESTION).read()
    pages = [scraped(port)[1] for _ in range(6)]
    for page in pages:
        assert len(workers(page)) == 2
        assert total(page, "tokenwire_runs_started_total") == 8
        assert total(page, "tokenwire_store_seconds_count") > 0


def test_a_worker_that_is_gone_is_merely_missing(upstream: ThreadedUpstream, serve: Serve, tmp_path: Path) -> None:
    """Its socket may still lie there."""
    folder = tmp_path / "peers"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "1.sock"))
    server = serve(MODEL + "[metrics]\nport = 0\n", TOKENWIRE_METRICS_PEERS=str(folder))
    assert stat.S_ISSOCK(os.stat(folder / "1.sock").st_mode)  # noqa: PTH116
    assert workers(scraped(port_of(server))[1]) == {str(server.process.pid)}
    server.process.send_signal(signal.SIGINT)
    server.process.wait(20)
    assert [path.name for path in folder.iterdir()] == ["1.sock"]  # one that leaves takes its own with it


def test_without_the_table_there_are_none(serve: Serve) -> None:
    server = serve(MODEL)
    assert get(server.url, "/metrics").status == 404
    assert "metrics" not in server.log.read_text()


def test_a_port_that_is_taken_is_a_mistake_in_use(tmp_path: Path, serve: Serve) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(AssertionError, match=r"tokenwire: metrics\.port: \d+ cannot be had"):
            serve(MODEL + f"[metrics]\nport = {taken.getsockname()[1]}\n")


def test_a_token_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "tokenwire.toml"
    file.write_text('[models.a]\nprovider = "local"\n[metrics]\ntoken_env = "NOT_SET"\n')
    with pytest.raises(ConfigError, match=r"metrics\.token_env: the environment variable NOT_SET is not set"):
        load(file, {})


def test_the_url_of_a_server_is_not_the_metrics_one(serve: Serve) -> None:
    server = serve(MODEL + "[metrics]\nport = 0\n")
    assert urlsplit(server.url).port != port_of(server)

"""A reader has had enough: how soon does the model's side see its connection closed?"""

import math
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

from .errors import MeasurementError
from .server import Server
from .upstream import Upstream

READERS = 10
TOKENS_READ = 10
TOKENS = 400
INTERVAL = 0.02
PATIENCE = 2.5
TOKEN = re.compile(rb"t(\d{19})\b")

Stop = Callable[[HTTPConnection, HTTPResponse, str], None]


def measure(_wire: Path, upstream: Upstream, server: Server) -> dict[str, float]:
    """Milliseconds, of the slowest of ten readers at once; infinite when the model's side saw nothing."""
    upstream.script(TOKENS, INTERVAL)
    figures = {}
    if server.contender.cancel:
        figures["cancel_ms"] = _slowest(upstream, server, partial(_cancel, server))
    return figures | {"hang_up_ms": _slowest(upstream, server, _hang_up)}


def _hang_up(connection: HTTPConnection, _response: HTTPResponse, _run: str) -> None:
    connection.close()


def _cancel(server: Server, _connection: HTTPConnection, response: HTTPResponse, run: str) -> None:
    """Ask on a second connection, as a Stop button does, and stay for the end of the stream."""
    second = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        second.request("POST", str(server.contender.cancel).replace("{id}", run))
        status = second.getresponse().status
    finally:
        second.close()
    if status >= 300:
        raise MeasurementError(f"the cancel was answered with {status}")
    response.read()


def _slowest(upstream: Upstream, server: Server, stop: Stop) -> float:
    try:
        with ThreadPoolExecutor(READERS) as pool:
            stopped = dict(pool.map(partial(_read_and_stop, server, stop), range(READERS)))
    except (OSError, HTTPException) as error:
        raise MeasurementError(f"a reader failed: {error!r}") from error
    deadline = time.monotonic() + PATIENCE
    while not stopped.keys() <= (aborts := upstream.aborts()).keys():
        if time.monotonic() > deadline:
            return math.inf
        time.sleep(0.02)
    return max(aborts[reply] - at for reply, at in stopped.items()) / 1e6


def _read_and_stop(server: Server, stop: Stop, number: int) -> tuple[int, int]:
    """The reply's first token, by which the upstream knows it too, and when the reader began to stop."""
    run = f"a{time.time_ns()}-{number}"
    headers = {"Content-Type": "application/json", **server.contender.headers}
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("POST", server.contender.path, server.contender.body.replace("{id}", run), headers)
        response = connection.getresponse()
        text = b""
        while len(tokens := TOKEN.findall(text)) < TOKENS_READ:
            part = response.read1(65536)
            if not part:
                raise MeasurementError(f"HTTP {response.status} ended early: {text[-400:]!r}")
            text += part
        at = time.time_ns()
        stop(connection, response, run)
    finally:
        connection.close()
    return int(tokens[0]), at

"""A reader comes back: how soon does its first event come?"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

from .errors import MeasurementError
from .server import Server
from .upstream import Upstream

RESUMES = 300
FINISHED_TOKENS, FINISHED_INTERVAL = 200, 0.005
LIVE_TOKENS, LIVE_INTERVAL = 400, 0.02
READ_BEFORE = 100
"""Tokens of the live run that are there when the first reader comes back …"""
SEEN_BEFORE = 10
"""… and how many of them it knows already."""
OFFSET = re.compile(rb"^id: ?(\S+)$", re.MULTILINE)
TOKEN = re.compile(rb"t\d{19}\b")


@dataclass(frozen=True)
class Question:
    """One request for a stream of events."""

    method: str
    path: str
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def ask(self, connection: HTTPConnection) -> HTTPResponse:
        """The response, whose events are still to be read."""
        connection.request(self.method, self.path, self.body, dict(self.headers))
        response = connection.getresponse()
        if response.status != 200:
            raise MeasurementError(f"{self.method} was answered with {response.status}: {response.read(400)!r}")
        return response


def measure(_wire: Path, upstream: Upstream, server: Server) -> dict[str, float]:
    """Milliseconds from connecting to the first event, one reader at a time."""
    try:
        joins = _joins(upstream, server)
        resumes = _resumes(upstream, server)
    except (OSError, HTTPException) as error:
        raise MeasurementError(f"a reader failed: {error!r}") from error
    return {
        "join_ms_p50": _percentile(joins, 0.5),
        "join_ms_p99": _percentile(joins, 0.99),
        "resume_ms_p50": _percentile(resumes, 0.5),
        "resume_ms_p99": _percentile(resumes, 0.99),
    }


def _joins(upstream: Upstream, server: Server) -> list[float]:
    """Of a finished run, from its start, each read to the end."""
    upstream.script(FINISHED_TOKENS, FINISHED_INTERVAL)
    run, chat = _chat(server)
    with _Connection(server) as connection:
        chat.ask(connection).read()
    join = Question("GET", str(server.contender.join).replace("{id}", run))
    return [_first_event_ms(server, join, FINISHED_TOKENS) for _ in range(RESUMES)]


def _resumes(upstream: Upstream, server: Server) -> list[float]:
    """Of a run under way, from an offset, by asking the same again."""
    upstream.script(LIVE_TOKENS, LIVE_INTERVAL)
    _, chat = _chat(server)
    with _Connection(server) as connection:
        response = chat.ask(connection)
        ends = time.monotonic() + (LIVE_TOKENS - 1) * LIVE_INTERVAL
        text = b""
        while len(tokens := [*TOKEN.finditer(text)]) < READ_BEFORE:
            part = response.read1(65536)
            if not part:
                raise MeasurementError(f"the run ended early: {text[-400:]!r}")
            text += part
        offset = OFFSET.findall(text, 0, tokens[SEEN_BEFORE].start())[-1].decode()
        again = Question(chat.method, chat.path, chat.body, {**chat.headers, "Last-Event-ID": offset})
        times = [_first_event_ms(server, again) for _ in range(RESUMES)]
        if time.monotonic() > ends:
            raise MeasurementError(f"the run ended before {RESUMES} readers had come back")
    return times


def _chat(server: Server) -> tuple[str, Question]:
    contender = server.contender
    run = f"r{time.time_ns()}"
    headers = {"Content-Type": "application/json", **contender.headers}
    return run, Question("POST", contender.path, contender.body.replace("{id}", run), headers)


def _first_event_ms(server: Server, question: Question, tokens: int | None = None) -> float:
    """A stream that shall have so many tokens is read to its end; the others never end in time."""
    began = time.perf_counter()
    with _Connection(server) as connection:
        response = question.ask(connection)
        text = response.read1(65536)
        took = (time.perf_counter() - began) * 1000
        if not text.startswith(b"id:"):
            raise MeasurementError(f"no event with an offset: {text[:400]!r}")
        if tokens is not None and (found := len(TOKEN.findall(text + response.read()))) != tokens:
            raise MeasurementError(f"a join brought {found} tokens of {tokens}")
    return took


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


class _Connection(HTTPConnection):
    """Closed at the end of the `with` block."""

    def __init__(self, server: Server) -> None:
        super().__init__("127.0.0.1", server.port, timeout=10)

    def __enter__(self) -> "_Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

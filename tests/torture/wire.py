"""The ways to follow an answer, as the newest TanStack client knows them (docs/wires/tanstack.md 3 and 5)."""

import json
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from .exchange import FAST, BrokenConnection, Pace, exchange
from .web_socket import frames

Json = dict[str, Any]

TERMINALS = ("RUN_FINISHED", "RUN_ERROR")


class Message(NamedTuple):
    """An event, and the offset it came under."""

    offset: str | None
    event: Json


Messages = AsyncGenerator[Message, None]


def rendering(events: Iterable[Json]) -> tuple[str, str]:
    """The text and the reasoning that events add up to."""
    deltas: dict[str, str] = {"TEXT_MESSAGE_CONTENT": "", "REASONING_MESSAGE_CONTENT": ""}
    for event in events:
        if event["type"] in deltas:
            deltas[event["type"]] += event["delta"]
    return deltas["TEXT_MESSAGE_CONTENT"], deltas["REASONING_MESSAGE_CONTENT"]


class Question(NamedTuple):
    """One question, asked under one run id however often it is sent."""

    text: str
    run_id: str

    @property
    def body(self) -> Json:
        """What is posted."""
        return {
            "threadId": f"thread-of-{self.run_id}",
            "runId": self.run_id,
            "state": {},
            "messages": [{"id": "m1", "role": "user", "content": self.text}],
            "tools": [],
            "context": [],
            "forwardedProps": {},
            "data": {},
        }


class Wire(Protocol):
    """One connection's worth of an answer. It raises what `exchange` raises."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def path(self) -> str:
        """Where it is spoken."""

    def ask(self, base: str, question: Question, after: str | None) -> Messages:
        """Asks, or goes on after the last offset that was seen."""

    def join(self, base: str, run_id: str, after: str | None) -> Messages:
        """Follows a run that somebody else asked for, from its start or after an offset."""


@dataclass(frozen=True)
class HttpWire:
    """An answer as the body of a response."""

    name: str
    path: str
    lines: Callable[[], Callable[[bytes], Message | None]]
    """Makes a reader of one answer's lines."""
    pace: Pace = FAST

    def ask(self, base: str, question: Question, after: str | None) -> Messages:
        """A POST, byte-identical each time but for ``Last-Event-ID``."""
        headers = {"X-Run-Id": question.run_id} | _last_event(after)
        return self._messages(exchange("POST", base + self.path, headers, question.body, self.pace))

    def join(self, base: str, run_id: str, after: str | None) -> Messages:
        """A GET; on a reconnect the header comes beside an ``offset`` that says otherwise, and must win."""
        query = urlencode({"offset": "-1", "runId": run_id})
        return self._messages(exchange("GET", f"{base}{self.path}?{query}", _last_event(after), pace=self.pace))

    def at(self, pace: Pace) -> "HttpWire":
        """The same for a reader of that pace."""
        return replace(self, pace=pace)

    async def _messages(self, body: AsyncGenerator[bytes, None]) -> Messages:
        read, rest = self.lines(), b""
        async with aclosing(body):
            async for data in body:
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    if message := read(line):
                        yield message
        if rest:
            raise BrokenConnection("the answer ended within a line")


@dataclass(frozen=True)
class SocketWire:
    """An answer as frames on a WebSocket of its own. Its end is the terminal event: the socket would stay open."""

    name: str = "websocket"
    path: str = "/api/chat/ws"

    def ask(self, base: str, question: Question, after: str | None) -> Messages:
        """The question in a frame; on a reconnect nothing but the address, which says where to go on."""
        if after is not None:
            return self.join(base, question.run_id, after)
        return self._messages(base, {"runId": question.run_id}, question.body)

    def join(self, base: str, run_id: str, after: str | None) -> Messages:
        """A socket that only replays."""
        return self._messages(base, {"runId": run_id, "offset": after or "-1"})

    async def _messages(self, base: str, query: Json, first: Json | None = None) -> Messages:
        url = f"ws{base.removeprefix('http')}{self.path}?{urlencode(query)}"
        async with aclosing(frames(url, first)) as incoming:
            async for frame in incoming:
                message = read_json_line(frame)
                if message is None or message.event["type"] == "ping":
                    continue
                yield message
                if message.event["type"] in TERMINALS:
                    return


class SseLines:
    """Reads server-sent events line by line, as the client does: an ``id`` belongs to the ``data`` after it."""

    def __init__(self) -> None:
        self._offset: str | None = None

    def __call__(self, line: bytes) -> Message | None:
        field, _, value = line.decode().partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            self._offset = value
        elif field == "data":
            offset, self._offset = self._offset, None
            return Message(offset, json.loads(value))
        return None


def read_json_line(line: bytes | str) -> Message | None:
    """Reads a line of NDJSON, or a frame: a bare event, or one in an envelope with its offset."""
    if not line.strip():
        return None
    value = json.loads(line)
    return Message(value["id"], value["chunk"]) if set(value) == {"id", "chunk"} else Message(None, value)


def _last_event(after: str | None) -> Json:
    return {} if after is None else {"Last-Event-ID": after}


SSE = HttpWire("sse", "/api/chat", SseLines)
NDJSON = HttpWire("ndjson", "/api/chat/ndjson", lambda: read_json_line)
SOCKET = SocketWire()

WIRES: list[Wire] = [SSE, NDJSON, SOCKET]

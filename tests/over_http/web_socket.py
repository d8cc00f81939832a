"""A WebSocket client that sends what a test says, and reads what comes: no code of the package's."""

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .client import PATIENCE
from .wires import Json, Message

PATH = "/api/chat/ws"


class Closed(NamedTuple):
    """How a server closed."""

    code: int
    reason: str


class Socket:
    """A connection. A context manager: leaving it closes as a client does that goes away in peace."""

    def __init__(
        self, url: str, query: str = "", headers: Mapping[str, str] | None = None, *, path: str = PATH, **more: Any
    ) -> None:
        self.messages: list[Message] = []
        """What came, pings left out."""
        self.pings = 0
        self._connect = connect(
            "ws" + url.removeprefix("http") + path + query,
            additional_headers=headers,
            open_timeout=PATIENCE,
            close_timeout=PATIENCE,
            proxy=None,
            **{"max_queue": None, **more},  # with a limit it closes only once somebody has read what came
        )

    def __enter__(self) -> Self:
        self.connection: ClientConnection = self._connect.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, frame: Json | str | bytes) -> None:
        """Sends a frame: text and bytes as they are, anything else as JSON."""
        self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def hang_up(self) -> None:
        """Goes without a word, as a network does."""
        with suppress(OSError):  # the server was quicker
            self.connection.socket.shutdown(socket.SHUT_RDWR)

    def abort(self, run_id: str) -> None:
        """Asks for the end of a run, as TanStack's client does."""
        self.send({"type": "abort", "runId": run_id})

    def read(self) -> Message:
        """The next event."""
        while True:
            frame = self.connection.recv(PATIENCE)
            assert isinstance(frame, str), "a browser would see a Blob"
            value = json.loads(frame)
            if value == {"type": "ping"}:
                self.pings += 1
                continue
            message = Message(value["id"], value["chunk"]) if set(value) == {"id", "chunk"} else Message(None, value)
            self.messages.append(message)
            return message

    def until(self, kind: str, run_id: str | None = None) -> list[Message]:
        """Reads on until an event of a kind has come, of a run where one is named; gives what came with it."""
        came = []
        while True:
            came.append(self.read())
            event = came[-1].event
            if event["type"] == kind and run_id in (None, event.get("runId")):
                return came

    def until_text(self, text: str) -> list[Message]:
        """Reads on until the text of what comes ends with this."""
        came: list[Message] = []
        while not text_of(came).endswith(text):
            came.append(self.read())
        return came

    def until_pings(self, count: int) -> None:
        """Reads on until so many more pings have come, and nothing else."""
        wanted = self.pings + count
        while self.pings < wanted:
            assert json.loads(self.connection.recv(PATIENCE)) == {"type": "ping"}
            self.pings += 1

    def rest(self) -> list[Message]:
        """What comes until the server closes."""
        came = []
        while True:
            try:
                came.append(self.read())
            except ConnectionClosed:
                return came

    @property
    def closed(self) -> Closed:
        """How the server closes, which is the next thing it does."""
        assert self.rest() == []
        return self.was_closed

    @property
    def was_closed(self) -> Closed:
        """How the server closed."""
        close = self.connection.protocol.close_rcvd
        assert close is not None, "the server went without a word"
        return Closed(close.code, close.reason)


def text_of(messages: list[Message]) -> str:
    """The text that events add up to."""
    return "".join(event.get("delta") or event.get("text", "") for _, event in messages)


def types(messages: list[Message]) -> list[str]:
    """What happened."""
    return [event["type"] for _, event in messages]


def failure(messages: list[Message]) -> str:
    """The sentence of the one event there is, where its wire's clients look for it."""
    ((_, event),) = messages
    assert event["type"] in ("RUN_ERROR", "error")
    sentence = event["error"] if event["type"] == "error" else event["message"]
    assert isinstance(sentence, str)
    return sentence

"""The wires as their clients write and read them, by hand: no code of the package's."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import uuid4

from .client import Answer

Json = dict[str, Any]


class Message(NamedTuple):
    """One event of an answer."""

    id: str | None
    event: Json


class Wire(NamedTuple):
    """A client's way to ask at one address."""

    name: str
    path: str
    framing: str
    resumes: bool

    def body(self, text: str = "Hello", run_id: str | None = None, **extra: Any) -> Json:
        """A question: one that was never asked before, where a run id does not make it another."""
        return BODIES[self.name](text, run_id or f"run-{uuid4()}") | extra

    def messages(self, body: bytes) -> list[Message]:
        """An answer's events; fails where a strict client would."""
        return FRAMINGS[self.framing](body)

    def text(self, body: bytes) -> str:
        """The text that an answer's events add up to."""
        events = [message.event for message in self.messages(body)]
        if self.name == "rais":
            return "".join(event["text"] for event in events if event["type"] == "text")
        return "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")

    def last(self, body: bytes) -> Json:
        """An answer's last event."""
        return self.messages(body)[-1].event

    def finished(self, body: bytes) -> bool:
        """Whether an answer ended well."""
        return bool(self.last(body)["type"] == ("done" if self.name == "rais" else "RUN_FINISHED"))

    def failure(self, body: bytes) -> str | None:
        """The sentence with which an answer failed, where this wire's clients look for it."""
        last = self.last(body)
        match self.name, last["type"]:
            case "rais", "error":
                sentence = last["error"]
            case "tanstack", "RUN_ERROR":
                sentence = last["message"]
            case "tanstack-legacy", "RUN_ERROR":
                sentence = last["error"]["message"]
            case _:
                return None
        assert isinstance(sentence, str)
        return sentence

    def told(self, answer: Answer) -> str:
        """The sentence of a refusal, in the form this wire's clients show."""
        if self.name == "rais":
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            return answer.read().decode()
        assert answer.headers["content-type"] == "application/json"
        error = answer.json["error"]
        assert set(error) == {"code", "message"}
        sentence = error["message"]
        assert isinstance(sentence, str)
        return sentence


def rais(text: str, run_id: str) -> Json:
    return {"messages": [{"role": "user", "content": text}]}


def tanstack(text: str, run_id: str) -> Json:
    return {
        "threadId": "thread-1",
        "runId": run_id,
        "state": {},
        "messages": [{"id": "m1", "role": "user", "content": text}],
        "tools": [],
        "context": [],
        "forwardedProps": {},
        "data": {},
    }


def legacy(text: str, run_id: str) -> Json:
    row = {"id": "m1", "role": "user", "parts": [{"type": "text", "content": text}]}
    return {"messages": [row], "data": {"conversationId": "chat-1"}}


def sse(body: bytes) -> list[Message]:
    messages = []
    *blocks, rest = body.split(b"\n\n")
    assert not rest.strip(b"\n"), f"not ended by an empty line: {rest!r}"
    for block in filter(None, (block.lstrip(b"\n") for block in blocks)):
        *ids, data = block.split(b"\n")
        assert data.startswith(b"data: {"), block
        assert all(line.startswith(b"id: ") for line in ids), block
        assert len(ids) <= 1, block
        messages.append(Message(ids[0][4:].decode("ascii") if ids else None, json.loads(data[6:])))
    return messages


def ndjson(body: bytes) -> list[Message]:
    assert body.endswith(b"\n")
    messages = []
    for line in filter(None, body.split(b"\n")):
        value = json.loads(line)
        enveloped = set(value) == {"id", "chunk"}
        messages.append(Message(value["id"], value["chunk"]) if enveloped else Message(None, value))
    return messages


def frames(wire: Wire, body: bytes) -> list[bytes]:
    """The bytes of each of an answer's messages."""
    cut = b"\n\n" if wire.framing == "sse" else b"\n"
    *whole, rest = body.split(cut)
    assert not rest
    return [frame + cut for frame in whole]


BODIES: dict[str, Callable[[str, str], Json]] = {"rais": rais, "tanstack": tanstack, "tanstack-legacy": legacy}
FRAMINGS: dict[str, Callable[[bytes], list[Message]]] = {"sse": sse, "ndjson": ndjson}

RAIS = Wire("rais", "/api/chat", "sse", resumes=True)
TANSTACK = Wire("tanstack", "/api/chat", "sse", resumes=True)
TANSTACK_NDJSON = Wire("tanstack", "/api/chat/ndjson", "ndjson", resumes=True)
LEGACY = Wire("tanstack-legacy", "/api/chat", "sse", resumes=False)

WIRES = [
    RAIS,
    Wire("rais", "/api/chat/rais", "sse", resumes=True),
    Wire("rais", "/api/chat/ndjson", "ndjson", resumes=False),
    TANSTACK,
    Wire("tanstack", "/api/chat/tanstack", "sse", resumes=True),
    TANSTACK_NDJSON,
    LEGACY,
    Wire("tanstack-legacy", "/api/chat/tanstack", "sse", resumes=False),
    Wire("tanstack-legacy", "/api/chat/ndjson", "ndjson", resumes=False),
]
RESUMING = [wire for wire in WIRES if wire.resumes]


def label(wire: Wire) -> str:
    """A wire's name in a test's."""
    return f"{wire.name} at {wire.path}"

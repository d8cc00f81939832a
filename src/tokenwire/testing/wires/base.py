"""What a wire is: how one provider's API says what a `Reply` describes."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple

from ..reply import Reply
from ..request import Request

CREATED: Final = 1_700_000_000
"""A fixed time, so that the same script gives the same bytes."""

MODEL: Final = "scripted"

FAILURE: Final = "The model failed to answer."
"""What a wire's error says when the reply does not say another."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request asks for."""

    number: int
    model: str = MODEL
    stream: bool = False
    body: Json = field(default_factory=dict)


class Event(NamedTuple):
    """One message of a streamed answer."""

    data: Json | str
    deltas: int = 0
    """How many of the reply's deltas it says."""
    name: str | None = None


class Stream(NamedTuple):
    """The messages of a streamed answer: what comes before its content, the content, what comes after."""

    opening: tuple[Event, ...]
    content: tuple[Event, ...]
    ending: tuple[Event, ...]


class Wire(ABC):
    """One provider's API. It holds nothing: everything it says depends on the reply and the request alone."""

    path: ClassVar[str]
    content_type: ClassVar[str] = "text/event-stream"
    """Of a streamed answer."""
    conversation: ClassVar[str] = "messages"
    """The field of the request that holds it."""

    def serves(self, path: str) -> bool:
        """Whether a POST to this path is a request of this wire."""
        return path == self.path

    def problem(self, request: Request, body: Any) -> str | None:  # noqa: ARG002  # for wires whose target says more
        """What keeps a request from being one of this wire."""
        if not isinstance(body, dict):
            return "The body is not a JSON object."
        if not isinstance(body.get("model"), str):
            return "'model' is not a string."
        return self.conversation_problem(body)

    def conversation_problem(self, body: Json) -> str | None:
        """What keeps a body from having a conversation."""
        if not isinstance(body.get(self.conversation), list) or not body[self.conversation]:
            return f"'{self.conversation}' is not an array with at least one message."
        return None

    def ask(self, number: int, request: Request, body: Json) -> Ask:  # noqa: ARG002  # as above
        """What the request of this number asks for, however wrong it is."""
        return Ask(number, str(body.get("model", MODEL)), body.get("stream") is True, body)

    def stream(self, reply: Reply, ask: Ask) -> Stream:
        """A streamed answer, cut short by its error if the reply has one."""
        opening, content = tuple(self.opening(reply, ask)), self.content(reply, ask)
        if reply.error_after is None:
            return Stream(opening, tuple(content), tuple(self.ending(reply, ask)))
        return Stream(opening, tuple(_first(content, reply.error_after)), tuple(self.failure(reply, ask)))

    def frame(self, reply: Reply, event: Event) -> str:
        """The text of one message of a stream."""
        end = reply.line_end
        comment = f": keep-alive{end * 2}" if reply.comments else ""
        name = f"event: {event.name}{end}" if event.name else ""
        data = event.data if isinstance(event.data, str) else to_json(event.data)
        return f"{comment}{name}data: {data}{end * 2}"

    def opening(self, reply: Reply, ask: Ask) -> Iterable[Event]:  # noqa: ARG002  # most wires have one
        """What a stream begins with, before any delta."""
        return ()

    @abstractmethod
    def content(self, reply: Reply, ask: Ask) -> Iterable[Event]:
        """The deltas of a stream, and what the wire puts around them."""

    @abstractmethod
    def ending(self, reply: Reply, ask: Ask) -> Iterable[Event]:
        """What tells that a stream is complete."""

    def failure(self, reply: Reply, ask: Ask) -> Iterable[Event]:  # noqa: ARG002  # some need its names
        """What tells that a stream has failed, in place of all that would have followed."""
        yield Event(self.error(reply))

    @abstractmethod
    def document(self, reply: Reply, ask: Ask) -> Json:
        """The answer to a request that does not stream."""

    @abstractmethod
    def refusal(self, status: int, message: str | None = None) -> Json:
        """The error object that goes with an HTTP status."""

    @abstractmethod
    def error(self, reply: Reply) -> Json:
        """The error object of an answer that fails on the way."""


def to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def scripted_refusal(status: int) -> str:
    """What a refusal says when nothing else is known."""
    return f"Scripted refusal {status}."


def _first(events: Iterable[Event], deltas: int) -> Iterator[Event]:
    """The events up to the one that says the last of so many deltas."""
    for event in events:
        if deltas < max(event.deltas, 1):
            return
        yield event
        deltas -= event.deltas

"""What a wire is, and the encoder that a reader writes with.

A wire turns a request body into a :class:`ChatRequest`, and each logged event into events of its own protocol. A
framing (:mod:`.sse`, :mod:`.ndjson`, :mod:`.websocket`) cuts those into messages. Where events carry offsets, a logged
event becomes at most one, because an offset names exactly one: a replay then numbers everything as the first delivery
did.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from .. import events
from ..errors import Failure
from . import ndjson, sse, websocket
from .request import ChatRequest, Envelope

Translate = Callable[[bytes], Sequence[bytes]]
"""The canonical JSON of a logged event -> the wire's JSON for it: nothing where the wire has no word for it."""


class Framing(NamedTuple):
    """How a stream is cut into messages."""

    name: str
    content_type: str
    heartbeat: bytes
    """What keeps a quiet connection open and every client skips."""
    frame: Callable[[bytes, bytes | None], bytes]
    """One message of an event's JSON, with its offset where the wire carries one in this framing."""


SSE = Framing("sse", sse.CONTENT_TYPE, sse.HEARTBEAT, sse.frame)
NDJSON = Framing("ndjson", ndjson.CONTENT_TYPE, ndjson.HEARTBEAT, ndjson.frame)
WEBSOCKET = Framing("websocket", websocket.CONTENT_TYPE, websocket.HEARTBEAT, websocket.frame)


class Wire(Protocol):
    """A client protocol. Implementations are stateless; what lasts for one response lives in ``translator``."""

    name: str
    """As the configuration and the log spell it."""
    returns: bool
    """Whether its clients come back for the rest when a response ends before the run does."""
    repeats_terminal: bool
    """Whether a resume past the end gets the terminal event again (without an offset) rather than nothing."""

    def parse(self, envelope: Envelope, *, max_messages: int) -> ChatRequest:
        """The request in a body. Raises :class:`tokenwire.errors.Refusal`."""

    def numbered(self, framing: Framing) -> bool:
        """Whether events carry offsets in this framing."""

    def translator(self, after: int) -> Translate:
        """A translator for one response, whose first record follows the sequence number ``after``."""

    def refusal(self, failure: Failure) -> tuple[str, bytes]:
        """Content type and body of an HTTP error, in a form this wire's clients can show."""


class Encoder:
    """Writes one response: the records of one log after a sequence number, in one wire and one framing."""

    def __init__(self, wire: Wire, framing: Framing, key: str, after: int = 0) -> None:
        self.content_type = framing.content_type
        self.heartbeat = framing.heartbeat
        self._translate = wire.translator(after)
        self._frame = framing.frame
        self._prefix = f"{key}:".encode() if wire.numbered(framing) else None

    def encode(self, after: int, payloads: Iterable[bytes]) -> bytes:
        """The bytes of the records that follow the sequence number ``after``. May be empty."""
        messages = self.messages(after, payloads)
        return messages[0] if len(messages) == 1 else b"".join(messages)

    def messages(self, after: int, payloads: Iterable[bytes]) -> list[bytes]:
        """The same, cut into messages, for a transport that sends each by itself."""
        translate, frame, prefix = self._translate, self._frame, self._prefix
        out = []
        for seq, payload in enumerate(payloads, after + 1):
            for event in translate(payload):
                out.append(frame(event, None if prefix is None else b"%b%d" % (prefix, seq)))
        return out

    def repeat(self, payload: bytes) -> bytes:
        """A record once more, without an offset, so that no client takes it for one it has seen."""
        return b"".join(self._frame(event, None) for event in self._translate(payload))

    def tell(self, failure: Failure, thread_id: str, run_id: str) -> bytes:
        """A failure that stands in no log, as the event that ends the run for this client."""
        return self.repeat(events.encode(events.RunError(failure.message, failure.code, thread_id, run_id)))

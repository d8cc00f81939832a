"""RAIS v1, the wire of react-ai-stream's ``useAIChat`` (docs/wires/rais.md)."""

from collections.abc import Sequence

from .. import events
from ..errors import Failure
from .base import SSE, Framing, Translate
from .history import conversation
from .request import ChatRequest, Envelope, read_options, read_rows, top_level

_TEXT = b'{"type":"TEXT_MESSAGE_CONTENT",'
_DONE = b'{"type":"done"}'
_ASKS_FOR_A_TOOL = "The model asked for a tool that cannot be run here."


class Rais:
    """``text* (done | error)``; everything else a run may say has no word in this wire."""

    name = "rais"
    returns = False
    repeats_terminal = False

    def parse(self, envelope: Envelope, *, max_messages: int) -> ChatRequest:
        """``{messages: [{role, content}], …}``; fields beside ``messages`` are options or ignored (2)."""
        rows = read_rows(envelope, max_messages)
        return ChatRequest(messages=conversation(rows), options=read_options(top_level(envelope)))

    def numbered(self, framing: Framing) -> bool:
        """``id:`` lines on SSE (9); NDJSON has no place for them in this wire."""
        return framing is SSE

    def translator(self, after: int) -> Translate:  # noqa: ARG002
        """See :func:`translate`."""
        return translate

    def refusal(self, failure: Failure) -> tuple[str, bytes]:
        """Plain text: the hook shows the body as it is (7)."""
        return "text/plain; charset=utf-8", failure.message.encode()


def translate(payload: bytes) -> Sequence[bytes]:
    """The RAIS event for a logged event, if there is one (4)."""
    if payload.startswith(_TEXT):
        return (b'{"type":"text","text":' + payload.partition(b',"delta":')[2],)
    if not events.is_terminal(payload):
        return ()
    terminal = events.decode(payload)
    if isinstance(terminal, events.RunError):
        return (_error(terminal.message),)
    if isinstance(terminal, events.RunFinished) and terminal.finish_reason == "tool_calls":
        # decided by this event alone: whoever resumes has the same end as whoever saw all of the answer
        return (_error(_ASKS_FOR_A_TOOL),)
    return (_DONE,)


def _error(message: str) -> bytes:
    return b'{"type":"error","error":' + events.quote(message) + b"}"


RAIS = Rais()

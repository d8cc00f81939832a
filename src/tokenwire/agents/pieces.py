"""What an agent says beside text."""

from typing import NamedTuple

import msgspec

from .. import events
from ..messages import ToolCall


class Reasoning(NamedTuple):
    """More of what the agent thinks. With a ``signature`` it is complete, and comes back signed on later turns."""

    text: str
    signature: str | None = None


class ToolResult(NamedTuple):
    """What a tool that the agent called gave."""

    call_id: str
    content: str


class Finish(NamedTuple):
    """How the answer ends, once it does. The last one counts."""

    reason: events.FinishReason = "stop"
    usage: events.Usage | None = None
    model: str | None = None
    """Who answered, where it is not the agent itself."""


Piece = str | Reasoning | ToolCall | ToolResult | Finish | events.Event
"""Whatever an agent may say: text, or events. Starts and ends come by themselves, and may be said all the same."""


def checked(piece: Piece) -> Piece:
    """The piece as it will be read again from a log: annotations alone bind no agent.

    Half a surrogate pair, which no UTF-8 can hold, becomes U+FFFD in text. Raises :class:`ValueError` for a piece that
    holds what it cannot hold; what is no piece at all passes.
    """
    if isinstance(piece, str):
        return piece if piece.isascii() else piece.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if not isinstance(piece, Piece):
        return piece
    try:
        return msgspec.json.decode(msgspec.json.encode(piece), type=type(piece))
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"a {type(piece).__name__} that cannot be told: {error}") from error

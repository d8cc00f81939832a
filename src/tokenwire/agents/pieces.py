"""What an agent says beside text."""

from typing import NamedTuple

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

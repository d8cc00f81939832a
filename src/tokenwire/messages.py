"""The conversation every wire maps to and every provider is asked with."""

from typing import Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]
MediaKind = Literal["image", "audio", "video", "document"]

MIME_TYPES: dict[MediaKind, str] = {
    "image": "image/png",
    "audio": "audio/wav",
    "video": "video/mp4",
    "document": "application/pdf",
}
"""Of data that comes without its media type."""


class Text(msgspec.Struct, frozen=True, tag="text"):
    """A piece of text."""

    text: str


class Media(msgspec.Struct, frozen=True, tag="media"):
    """Something that is not text: by address, or as base64 data with its media type."""

    kind: MediaKind
    url: str | None = None
    data: str | None = None
    mime_type: str | None = None
    detail: str | None = None


class Reasoning(msgspec.Struct, frozen=True, tag="reasoning"):
    """What an assistant thought in an earlier turn. Only signed reasoning is kept: no provider wants the other back.

    ``signature`` is what ``REASONING_ENCRYPTED_VALUE`` carried, opaque but to the codec that made it.
    """

    text: str
    signature: str


Part = Text | Media | Reasoning


class ToolCall(msgspec.Struct, frozen=True):
    """A call the model made in an earlier turn. ``arguments`` is valid JSON text."""

    id: str
    name: str
    arguments: str
    signature: str | None = None
    """As in :class:`Reasoning`."""


class Message(msgspec.Struct, frozen=True):
    """One turn of the conversation.

    ``tool_calls`` only with role ``assistant``; ``tool_call_id`` always and only with role ``tool``. In a conversation
    that a wire hands on, every tool call is followed by exactly one ``tool`` message, and no message is empty.
    """

    role: Role
    content: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """All text of the message, joined."""
        return "".join(part.text for part in self.content if isinstance(part, Text))


def message(role: Role, text: str) -> Message:
    """A message that is all text."""
    return Message(role, (Text(text),) if text else ())

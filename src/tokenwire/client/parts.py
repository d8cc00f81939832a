"""What a message is made of (docs/wires/tanstack.md, *Message rows in LEGACY and MIDDLE bodies*).

Parts are immutable: a newer state of a message holds new parts, so whoever keeps an older one keeps what it showed.
``part.type`` is the name of the part on the wire. A field that is :data:`msgspec.UNSET` is absent there, which is not
the same as null.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import UNSET


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="type"):
    """What all parts share: camelCase on the wire, nothing written for what is absent."""


class TextPart(_Part, frozen=True, tag="text"):
    """Text, in Markdown as a rule."""

    type: ClassVar[Literal["text"]] = "text"
    content: str
    metadata: Any = UNSET


class Source(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Where a medium is: ``value`` is a URL, or base64 data of the type ``mime_type``."""

    type: Literal["url", "data"]
    value: str
    mime_type: str | None = None


class ImagePart(_Part, frozen=True, tag="image"):
    """An image."""

    type: ClassVar[Literal["image"]] = "image"
    source: Source
    metadata: Any = UNSET


class AudioPart(_Part, frozen=True, tag="audio"):
    """A sound."""

    type: ClassVar[Literal["audio"]] = "audio"
    source: Source
    metadata: Any = UNSET


class VideoPart(_Part, frozen=True, tag="video"):
    """A film."""

    type: ClassVar[Literal["video"]] = "video"
    source: Source
    metadata: Any = UNSET


class DocumentPart(_Part, frozen=True, tag="document"):
    """A document, such as a PDF."""

    type: ClassVar[Literal["document"]] = "document"
    source: Source
    metadata: Any = UNSET


class ThinkingPart(_Part, frozen=True, tag="thinking"):
    """What the model thought aloud; the newer dialect keeps one for each step."""

    type: ClassVar[Literal["thinking"]] = "thinking"
    content: str
    step_id: str | None = None
    signature: str | None = None


class Approval(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What the server wants the user to decide; ``approved`` is the answer, None before there is one."""

    id: str
    needs_approval: bool
    approved: bool | None = None


ToolCallState = Literal[
    "awaiting-input",
    "input-streaming",
    "input-complete",
    "approval-requested",
    "approval-responded",
    "complete",
    "error",
]


class ToolCallPart(_Part, frozen=True, tag="tool-call"):
    """A call the model made: ``arguments`` is JSON as it arrived, ``input`` what it says once it is whole."""

    type: ClassVar[Literal["tool-call"]] = "tool-call"
    id: str
    name: str
    arguments: str
    state: ToolCallState
    approval: Approval | None = None
    output: Any = UNSET
    input: Any = UNSET
    metadata: Any = UNSET

    @property
    def provider_executed(self) -> bool:
        """Whether the model's provider ran it, so that nobody waits for a result."""
        return isinstance(self.metadata, Mapping) and self.metadata.get("providerExecuted") is True


class ToolResultPart(_Part, frozen=True, tag="tool-result"):
    """What a call gave; with an ``error``, what it failed of."""

    type: ClassVar[Literal["tool-result"]] = "tool-result"
    tool_call_id: str
    content: str | list[dict[str, Any]] | None
    state: Literal["streaming", "complete", "error"]
    id: str | None = None
    name: str | None = None
    metadata: Any = UNSET
    created_at: datetime | None = None
    error: str | None = None


class StructuredOutputPart(_Part, frozen=True, tag="structured-output"):
    """JSON the model was asked for: ``raw`` as it arrives, ``data`` when it is whole and valid."""

    type: ClassVar[Literal["structured-output"]] = "structured-output"
    status: Literal["streaming", "complete", "error"]
    raw: str
    data: Any = UNSET
    partial: Any = UNSET
    reasoning: str | None = None
    error_message: str | None = None


class UIResourcePart(_Part, frozen=True, tag="ui-resource"):
    """A widget a tool sent along."""

    type: ClassVar[Literal["ui-resource"]] = "ui-resource"
    resource: dict[str, Any]
    tool_call_id: str
    tool_name: str
    server_id: str | None = None
    meta: Any = UNSET


class OtherPart(msgspec.Struct, frozen=True):
    """A part of a kind this version does not know, kept as it came."""

    fields: dict[str, Any]

    @property
    def type(self) -> str:
        """The name the part goes by on the wire."""
        return str(self.fields.get("type"))


MediaPart = ImagePart | AudioPart | VideoPart | DocumentPart
ContentPart = TextPart | MediaPart
Part = ContentPart | ThinkingPart | ToolCallPart | ToolResultPart | StructuredOutputPart | UIResourcePart | OtherPart

MEDIA = (ImagePart, AudioPart, VideoPart, DocumentPart)
_KINDS: dict[str, type[Any]] = {
    kind.type: kind
    for kind in (TextPart, *MEDIA, ThinkingPart, ToolCallPart, ToolResultPart, StructuredOutputPart, UIResourcePart)
}


def part_from_dict(fields: Mapping[str, Any]) -> Part:
    """The part that JSON describes. One of another kind, or with other fields than its kind has, is kept as it is."""
    kind = _KINDS.get(str(fields.get("type")))
    if kind is not None:
        if kind is TextPart and "content" not in fields and "text" in fields:
            fields = {**fields, "content": fields["text"]}
        try:
            part: Part = msgspec.convert(fields, kind)
        except msgspec.ValidationError:
            return OtherPart(dict(fields))
        return part
    return OtherPart(dict(fields))


def part_to_dict(part: Part) -> dict[str, Any]:
    """The part as JSON has it."""
    if isinstance(part, OtherPart):
        return dict(part.fields)
    fields: dict[str, Any] = msgspec.to_builtins(part, builtin_types=(datetime,))
    if isinstance(fields.get("createdAt"), datetime):
        fields["createdAt"] = iso_time(fields["createdAt"])
    return fields


def iso_time(moment: datetime) -> str:
    """The moment as JavaScript's ``toISOString`` writes it: UTC, milliseconds, ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

"""The conversation as a client holds it, and the two ways it goes into a request (docs/wires/tanstack.md,
*What the client sends*)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from .parts import (
    Part,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    iso_time,
    part_from_dict,
    part_to_dict,
)
from .rows import wire_rows

if TYPE_CHECKING:
    from .connection import RunContext

Dialect = Literal["new", "legacy"]
Role = Literal["user", "assistant", "system"]


class UIMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message: who speaks, and the parts of what is said. Immutable, as its parts are."""

    id: str
    role: Role
    parts: tuple[Part, ...]
    created_at: datetime | None = None
    name: str | None = None
    metadata: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """All its text, without what lies between."""
        return "".join(part.content for part in self.parts if isinstance(part, TextPart))

    def to_dict(self) -> dict[str, Any]:
        """The message as JSON has it: ``id``, ``role``, ``parts``, ``createdAt`` …"""
        fields: dict[str, Any] = {
            "id": self.id,
            "role": self.role,
            "parts": [part_to_dict(part) for part in self.parts],
        }
        if self.created_at is not None:
            fields["createdAt"] = iso_time(self.created_at)
        if self.name is not None:
            fields["name"] = self.name
        if self.metadata is not None:
            fields["metadata"] = self.metadata
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> UIMessage:
        """The message that JSON describes: with ``parts``, or a row with a ``role`` and ``content``.

        Rows of AG-UI and of model APIs are understood (roles ``user``, ``assistant``, ``tool``, ``system``,
        ``developer``, ``reasoning``); a missing id is made up.
        """
        if isinstance(fields.get("parts"), Sequence):
            parts = tuple(part_from_dict(part) for part in fields["parts"])
        else:
            parts = tuple(_parts_of_row(fields))
        role = fields.get("role")
        metadata = fields.get("metadata")
        return cls(
            id=str(fields.get("id") or new_id("msg")),
            role="user" if role == "user" else "system" if role in ("system", "developer") else "assistant",
            parts=parts,
            created_at=_moment(fields.get("createdAt")) or _moment(_tanstack(metadata).get("createdAt")),
            name=fields["name"] if isinstance(fields.get("name"), str) and role != "tool" else None,
            metadata=dict(metadata) if isinstance(metadata, Mapping) else None,
        )


def ui_message(message: UIMessage | Mapping[str, Any]) -> UIMessage:
    """``message``, whichever way it was written, with the time it was said."""
    made = _as_message(message)
    return made if made.created_at is not None else msgspec.structs.replace(made, created_at=datetime.now(UTC))


def _as_message(message: UIMessage | Mapping[str, Any]) -> UIMessage:
    return message if isinstance(message, UIMessage) else UIMessage.from_dict(message)


def user_message(content: str | Sequence[Part], id: str | None = None, metadata: Any = None) -> UIMessage:  # noqa: A002
    """What the user says now."""
    parts = (TextPart(content=content),) if isinstance(content, str) else tuple(content)
    return UIMessage(id=id or new_id("msg"), role="user", parts=parts, created_at=datetime.now(UTC), metadata=metadata)


def request_body(
    messages: Sequence[UIMessage | Mapping[str, Any]],
    data: Mapping[str, Any] | None = None,
    run_context: RunContext | None = None,
    dialect: Dialect = "new",
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a built-in adapter posts; ``body`` is the adapter's own option.

    ``new``: an AG-UI ``RunAgentInput``. ``body`` < the context's forwarded props < ``data``, and all of them once more
    as ``data`` for older servers (section 1.3). Ids that the context does not give are made up.

    ``legacy``: ``messages`` with their parts, ``data``, and ``body`` over both at the top level (section 1.2).
    """
    if dialect == "legacy":
        rows = [message.to_dict() if isinstance(message, UIMessage) else dict(message) for message in messages]
        legacy: dict[str, Any] = {"messages": rows}
        if data is not None:
            legacy["data"] = dict(data)
        return {**legacy, **(body or {})}
    forwarded = {**(body or {}), **((run_context and run_context.forwarded_props) or {}), **(data or {})}
    fields: dict[str, Any] = {
        "threadId": run_context.thread_id if run_context else new_id("thread"),
        "runId": run_context.run_id if run_context else new_id("run"),
    }
    if run_context is not None and run_context.parent_run_id is not None:
        fields["parentRunId"] = run_context.parent_run_id
    if run_context is not None and run_context.resume is not None:
        fields["resume"] = list(run_context.resume)
    return {
        **fields,
        "state": {},
        "messages": wire_rows([_as_message(message) for message in messages]),
        "tools": list((run_context and run_context.client_tools) or ()),
        "context": [],
        "forwardedProps": forwarded,
        "data": dict(forwarded),
    }


def new_id(kind: str) -> str:
    """A new id in the form the JavaScript clients give theirs: kind, milliseconds, chance."""
    return f"{kind}-{time.time_ns() // 1_000_000}-{secrets.token_hex(4)}"


def _tanstack(metadata: Any) -> Mapping[str, Any]:
    inner = metadata.get("tanstack") if isinstance(metadata, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _parts_of_row(row: Mapping[str, Any]) -> list[Part]:
    role, content = row.get("role"), row.get("content")
    if role == "tool" and row.get("toolCallId"):
        return [_result(row)]
    if role == "reasoning":
        signature = row.get("encryptedValue") or None
        return [ThinkingPart(content=content or "", signature=signature)] if content or signature else []
    parts: list[Part] = []
    if isinstance(content, str):
        if content:
            parts.append(TextPart(content=content))
    elif isinstance(content, Sequence):
        parts += (part_from_dict(part) for part in content)
    call_metadata = _tanstack(row.get("metadata")).get("toolCallMetadata")
    for call in row.get("toolCalls") or ():
        function = call.get("function") or {}
        arguments = function.get("arguments") or ""
        known = call_metadata.get(call.get("id")) if isinstance(call_metadata, Mapping) else None
        parts.append(
            ToolCallPart(
                id=str(call.get("id")),
                name=str(function.get("name")),
                arguments=arguments,
                state="input-complete",
                input=parsed(arguments),
                metadata=msgspec.UNSET if known is None else known,
            )
        )
    return parts


def _result(row: Mapping[str, Any]) -> ToolResultPart:
    content, error = row.get("content"), row.get("error")
    return ToolResultPart(
        tool_call_id=str(row["toolCallId"]),
        content=content if isinstance(content, str | list) else "",
        state="complete" if error is None else "error",
        id=row.get("id"),
        name=row.get("name"),
        metadata=row.get("metadata", msgspec.UNSET),
        created_at=_moment(row.get("createdAt")) or _moment(_tanstack(row.get("metadata")).get("createdAt")),
        error=error,
    )


def parsed(text: str) -> Any:
    """What strict JSON says; :data:`msgspec.UNSET` when it is not JSON."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return msgspec.UNSET

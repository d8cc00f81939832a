"""Messages as the rows of an AG-UI request (docs/wires/tanstack.md, *Message rows in a NEW body*)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from .parts import (
    MEDIA,
    Part,
    StructuredOutputPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    UIResourcePart,
    iso_time,
    part_to_dict,
)

if TYPE_CHECKING:
    from .messages import UIMessage

Row = dict[str, Any]


def wire_rows(messages: Sequence[UIMessage]) -> list[Row]:
    """The rows of ``messages``: each one's own, its thinking before it, its tools' results after it."""
    taken = {message.id for message in messages}
    rows: list[Row] = []
    for message in messages:
        if message.role == "assistant":
            rows += _assistant(message, taken)
        else:
            content = _text(message.parts) if message.role == "system" else _user_content(message.parts)
            rows.append({**_anchor(message), "role": message.role, "content": content})
    return rows


def result_content(result: Any) -> str | list[dict[str, Any]]:
    """A tool's result as it is sent: text and lists of content parts as they are, all else as JSON."""
    if isinstance(result, str):
        return result
    if isinstance(result, list) and result and all(_is_content_part(part) for part in result):
        return result
    return _json(result)


def _assistant(message: UIMessage, taken: set[str]) -> Iterable[Row]:
    for part in message.parts:
        if isinstance(part, ThinkingPart):
            reasoning: Row = {
                "role": "reasoning",
                "id": _unique(f"{message.id}-reasoning-{_digest(part.content)}", taken),
                "content": part.content,
            }
            if part.signature:
                reasoning["encryptedValue"] = part.signature
            yield reasoning
    anchor = {**_anchor(message), "role": "assistant"}
    if text := _text(message.parts):
        anchor["content"] = text
    if calls := [_call(part) for part in message.parts if isinstance(part, ToolCallPart)]:
        anchor["toolCalls"] = calls
    yield anchor
    answered = {part.tool_call_id for part in message.parts if isinstance(part, ToolResultPart)}
    for part in message.parts:
        if isinstance(part, ToolResultPart):
            yield _result(part, taken)
        elif isinstance(part, ToolCallPart) and part.id not in answered:
            yield from _answer(part, taken)


def _anchor(message: UIMessage) -> Row:
    row: Row = {"id": message.id}
    if message.name is not None:
        row["name"] = message.name
    if metadata := _metadata(message):
        row["metadata"] = metadata
    return row


def _metadata(message: UIMessage) -> dict[str, Any]:
    metadata = dict(message.metadata or {})
    before = metadata.pop("tanstack", None)
    tanstack: dict[str, Any] = (
        {key: before[key] for key in ("model", "signature") if key in before} if isinstance(before, Mapping) else {}
    )
    if message.created_at is not None:
        tanstack["createdAt"] = iso_time(message.created_at)
    for part in message.parts:
        if isinstance(part, StructuredOutputPart) and part.status != "complete":
            tanstack["structuredOutput"] = {"status": part.status, "raw": part.raw}
            if part.error_message is not None:
                tanstack["structuredOutput"]["errorMessage"] = part.error_message
            break
    if of_calls := {
        part.id: part.metadata
        for part in message.parts
        if isinstance(part, ToolCallPart) and part.metadata is not UNSET
    }:
        tanstack["toolCallMetadata"] = of_calls
    if resources := [part_to_dict(part) for part in message.parts if isinstance(part, UIResourcePart)]:
        tanstack["uiResources"] = resources
    return {**metadata, "tanstack": tanstack} if tanstack else metadata


def _text(parts: Iterable[Part]) -> str:
    said: list[str] = []
    for part in parts:
        # A finished structured output is what the model said; an unfinished one would teach it broken JSON.
        if isinstance(part, StructuredOutputPart) and part.status == "complete":
            said.append(part.raw)
        elif isinstance(part, TextPart):
            said.append(part.content)
    return "".join(said)


def _user_content(parts: Sequence[Part]) -> str | list[dict[str, Any]]:
    if not any(isinstance(part, MEDIA) for part in parts):
        return _text(parts)
    return [
        {"type": "text", "text": part.content} if isinstance(part, TextPart) else part_to_dict(part)
        for part in parts
        if isinstance(part, (TextPart, *MEDIA))
    ]


def _call(part: ToolCallPart) -> dict[str, Any]:
    call: dict[str, Any] = {
        "id": part.id,
        "type": "function",
        "function": {"name": part.name, "arguments": part.arguments},
    }
    signature = part.metadata.get("thoughtSignature") if isinstance(part.metadata, Mapping) else None
    if isinstance(signature, str) and signature:
        call["encryptedValue"] = signature
    return call


def _result(part: ToolResultPart, taken: set[str]) -> Row:
    row: Row = {
        "role": "tool",
        "id": _unique(part.id or f"tool-{part.tool_call_id}", taken),
        "toolCallId": part.tool_call_id,
    }
    if part.name is not None:
        row["name"] = part.name
    row["content"] = part.content if isinstance(part.content, str) else _json(part.content)
    if part.error is not None:
        row["error"] = part.error
    row["metadata"] = _result_metadata(part)
    return row


def _result_metadata(part: ToolResultPart) -> dict[str, Any]:
    metadata = dict(part.metadata) if isinstance(part.metadata, Mapping) else {}
    before = metadata.get("tanstack")
    tanstack = {key: value for key, value in before.items() if key != "uiResources"} if isinstance(before, dict) else {}
    told: dict[str, Any] = {}
    if part.id is not None:
        told["id"] = part.id
    if part.created_at is not None:
        told["createdAt"] = iso_time(part.created_at)
    if isinstance(part.content, list):
        told["content"] = part.content
    return {**metadata, "tanstack": {**tanstack, "toolResult": told}}


def _answer(part: ToolCallPart, taken: set[str]) -> Iterable[Row]:
    """The row of a call that has an output but no result part, or of an approval that was answered."""
    content: Any
    if part.output is not UNSET:
        content = result_content(part.output)
    elif part.state == "approval-responded" and part.approval is not None and part.approval.approved is not None:
        approved = part.approval.approved
        content = result_content(
            {"approved": True, "pendingExecution": True, "message": "User approved this action"}
            if approved
            else {"approved": False, "message": "User denied this action"}
        )
    else:
        return
    yield {
        "role": "tool",
        "id": _unique(f"tool-{part.id}", taken),
        "toolCallId": part.id,
        "content": content if isinstance(content, str) else _json(content),
        "metadata": {"tanstack": {"toolResult": {"content": content} if isinstance(content, list) else {}}},
    }


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _is_content_part(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    if value.get("type") == "text":
        return isinstance(value.get("content"), str)
    source = value.get("source")
    if value.get("type") not in {kind.type for kind in MEDIA} or not isinstance(source, Mapping):
        return False
    if not isinstance(source.get("value"), str):
        return False
    return source.get("type") == "url" or (source.get("type") == "data" and isinstance(source.get("mimeType"), str))


def _unique(wanted: str, taken: set[str]) -> str:
    unique, number = wanted, 2
    while unique in taken:
        unique, number = f"{wanted}-{number}", number + 1
    taken.add(unique)
    return unique


def _digest(text: str) -> str:
    """The suffix of a reasoning row's id: a 32-bit hash over UTF-16 code units, in base 36."""
    units = text.encode("utf-16-le", "surrogatepass")
    total = 0
    for index in range(0, len(units), 2):
        total = (total * 31 + units[index] + 256 * units[index + 1]) & 0xFFFFFFFF
    number = abs(total - (1 << 32) if total >= 1 << 31 else total)
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"

"""From the rows a client sends to a conversation a provider accepts (docs/wires/tanstack.md 1.4 to 1.6).

Rows come as rendered UI messages (``parts``), as AG-UI rows, as both at once, or as plain role and content, and they
come broken: cut off in the middle of a tool call, with results twice or never, with the empty bubble an error left
behind. Providers reject most of that, and would reject every later turn of the conversation, so it is repaired here.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, get_args

import msgspec

from ..errors import Code, Refusal
from ..messages import Media, MediaKind, Message, Part, Reasoning, Text, ToolCall
from .request import Row

MAX_SIGNATURE = 1024 * 1024
"""Characters of a signature. Anything longer is none that came from here."""

_NOT_COMPLETED = json.dumps({"error": "Tool call was not completed"})
_MEDIA: dict[str, MediaKind] = {kind: kind for kind in get_args(MediaKind)}


def conversation(rows: Iterable[Row]) -> tuple[Message, ...]:
    """The repaired conversation.

    Raises :class:`Refusal` for an unknown role, and when no row is left that holds anything.
    """
    rows = tuple(rows)
    anchored = {
        call_id
        for row in rows
        for part in row.parts or ()
        if part.get("type") == "tool-result" and isinstance(call_id := part.get("toolCallId"), str)
    }
    messages = tuple(_repaired(_joined(_read_all(rows, anchored))))
    if not messages:
        raise Refusal(Code.bad_request, "The messages of the request are all empty.")
    return messages


def _read_all(rows: Iterable[Row], anchored: set[str]) -> Iterator[Message]:
    """The messages of all rows. Rows of reasoning belong to the assistant's row after them (1.4)."""
    thoughts: list[Part] = []
    for index, row in enumerate(rows):
        if row.role == "reasoning":
            thoughts += _reasoning(row.content, row.encrypted_value)
            continue
        for message in _read(row, index, anchored):
            # in a row that has parts, the reasoning is among them
            mine = thoughts if message.role == "assistant" and row.parts is None else ()
            yield msgspec.structs.replace(message, content=(*mine, *message.content))
        thoughts = []


def _read(row: Row, index: int, anchored: set[str]) -> Iterator[Message]:
    role = row.role or ("assistant" if row.parts is not None else None)
    if role == "activity":
        return
    if role == "tool" and row.parts is None:
        if row.tool_call_id and row.tool_call_id not in anchored and not _is_decision(row.content):
            yield _tool_message(row.tool_call_id, row.content, row.error)
    elif role == "assistant" and row.parts is not None:
        yield from _read_assistant_parts(row.parts)
    elif role == "assistant":
        yield Message("assistant", tuple(_content(row.content)), tuple(_calls(row.tool_calls or ())))
    elif role == "user":
        yield Message("user", tuple(_content(row.content if row.parts is None else row.parts)))
    elif role in ("system", "developer"):
        yield Message("system", tuple(_content(row.content if row.parts is None else row.parts)))
    elif role != "tool":
        raise Refusal(Code.bad_request, f"The request has a message of an unknown role at $.messages[{index}].role.")


def _read_assistant_parts(parts: list[dict[str, Any]]) -> Iterator[Message]:
    """One rendered assistant message is a turn for each stretch of text and calls up to a result.

    Its reasoning comes first, as in rows: where it stands among the parts is not what the model said.
    """
    thoughts: list[Part] = []
    text: list[Part] = []
    calls: list[ToolCall] = []
    outputs: dict[str, Any] = {}
    for part in parts:
        kind = part.get("type")
        if kind == "text" or (kind == "structured-output" and part.get("status") == "complete"):
            content = part.get("content" if kind == "text" else "raw")
            if isinstance(content, str) and content:
                text.append(Text(content))
        elif kind == "thinking":
            thoughts += _reasoning(part.get("content"), part.get("signature"))
        elif kind == "tool-call" and (call := _rendered_call(part)):
            calls.append(call)
            if "output" in part:
                outputs[call.id] = part["output"]
        elif kind == "tool-result" and isinstance(call_id := part.get("toolCallId"), str):
            if text or calls:
                yield Message("assistant", (*thoughts, *text), tuple(calls))
                thoughts, text, calls = [], [], []
            yield _tool_message(call_id, part.get("content"), part.get("error"))
    if text or calls:
        yield Message("assistant", (*thoughts, *text), tuple(calls))
    for call_id, output in outputs.items():  # where there is a result too, that one counts: it comes first
        yield _tool_message(call_id, output if isinstance(output, str) else json.dumps(output), None)


def _joined(messages: Iterable[Message]) -> list[Message]:
    """Text and the calls after it are one turn, although a client shows them in two messages (2.4)."""
    joined: list[Message] = []
    for message in messages:
        last = joined[-1] if joined else None
        goes_on = bool(message.tool_calls) and not message.content
        if goes_on and last is not None and last.role == "assistant" and not last.tool_calls:
            joined[-1] = msgspec.structs.replace(last, tool_calls=message.tool_calls)
        else:
            joined.append(message)
    return joined


def _repaired(messages: Iterable[Message]) -> Iterator[Message]:
    """Every call answered once and directly, every result called for, nothing empty."""
    held = list(messages)
    results: dict[str, Message] = {}
    for message in held:
        if message.tool_call_id is not None:
            results.setdefault(message.tool_call_id, message)
    called: set[str] = set()
    for message in held:
        if message.role == "tool":
            continue
        fresh = tuple({call.id: call for call in message.tool_calls if call.id not in called}.values())
        if not fresh and all(isinstance(part, Reasoning) for part in message.content):
            continue
        yield Message(message.role, message.content, tuple(_sendable(call) for call in fresh))
        for call in fresh:
            called.add(call.id)
            complete = _is_json(call.arguments)
            yield (results.get(call.id) if complete else None) or _tool_message(call.id, _NOT_COMPLETED, None)


def _content(content: str | list[Any] | None) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    for part in content or ():
        if not isinstance(part, dict):
            continue
        kind = part.get("type")
        if kind == "text":
            text = part.get("text", part.get("content"))
            if isinstance(text, str) and text:
                yield Text(text)
        elif isinstance(kind, str) and kind in _MEDIA and isinstance(source := part.get("source"), dict):
            media = _media(_MEDIA[kind], source, part.get("metadata"))
            if media is not None:
                yield media


def _media(kind: MediaKind, source: dict[str, Any], metadata: Any) -> Media | None:
    kind_of_source, value, mime_type = source.get("type"), source.get("value"), source.get("mimeType")
    detail = metadata.get("detail") if isinstance(metadata, dict) else None
    if kind_of_source not in ("url", "data") or not isinstance(value, str) or not value:
        return None
    return Media(
        kind,
        url=value if kind_of_source == "url" else None,
        data=value if kind_of_source == "data" else None,
        mime_type=mime_type if isinstance(mime_type, str) else None,
        detail=detail if isinstance(detail, str) else None,
    )


def _reasoning(text: Any, signature: Any) -> Iterator[Reasoning]:
    """Signed reasoning; that which nobody can read has no text. Unsigned, no provider wants it back."""
    if (signature := _signature(signature)) is not None:
        yield Reasoning(text if isinstance(text, str) else "", signature)


def _signature(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_SIGNATURE else None


def _calls(rows: Iterable[dict[str, Any]]) -> Iterator[ToolCall]:
    for row in rows:
        function = row.get("function")
        if isinstance(function, dict) and (
            call := _call(row.get("id"), function.get("name"), function.get("arguments"), row.get("encryptedValue"))
        ):
            yield call


def _rendered_call(part: dict[str, Any]) -> ToolCall | None:
    metadata = part.get("metadata")
    signature = metadata.get("thoughtSignature") if isinstance(metadata, dict) else None
    return _call(part.get("id"), part.get("name"), part.get("arguments"), signature)


def _call(call_id: Any, name: Any, arguments: Any, signature: Any) -> ToolCall | None:
    if not (isinstance(call_id, str) and call_id and isinstance(name, str) and name):
        return None
    arguments = arguments.strip() or "{}" if isinstance(arguments, str) else "{}"
    return ToolCall(call_id, name, arguments, _signature(signature))


def _sendable(call: ToolCall) -> ToolCall:
    """A call that was cut off has empty arguments, which are not what was signed."""
    return call if _is_json(call.arguments) else ToolCall(call.id, call.name, "{}")


def _tool_message(call_id: str, content: Any, error: Any) -> Message:
    if error:
        text = json.dumps({"error": error if isinstance(error, str) else json.dumps(error)})
    elif isinstance(content, str):
        text = content
    elif isinstance(content, list):
        text = "".join(part.text for part in _content(content) if isinstance(part, Text))
    else:
        text = json.dumps(content)
    return Message("tool", (Text(text),), tool_call_id=call_id)


def _is_decision(content: Any) -> bool:
    """Whether a tool row is an answered approval, which stands for a result but is none (1.4)."""
    if not isinstance(content, str) or '"approved"' not in content:
        return False
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict):
        return False
    denied = value.get("approved") is False and value.get("message") == "User denied this action"
    return denied or (value.get("approved") is not None and value.get("pendingExecution") is True)


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return False
    return True

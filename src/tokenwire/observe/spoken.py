"""Conversations as OpenTelemetry's conventions write them: JSON, for spans of an operator who wants content there."""

from collections.abc import Iterable
from typing import Any

import msgspec

from .. import events
from ..messages import Media, Message, Part, Reasoning, Text
from ..runs.log import Log


def system_instructions(messages: Iterable[Message]) -> str | None:
    """``gen_ai.system_instructions``, where there are any."""
    parts = [part for message in messages if message.role == "system" for part in map(_part, message.content)]
    return _json(parts) if parts else None


def input_messages(messages: Iterable[Message]) -> str:
    """``gen_ai.input.messages``."""
    return _json([{"role": one.role, "parts": _parts(one)} for one in messages if one.role != "system"])


def output_messages(log: Log, reason: str) -> str:
    """``gen_ai.output.messages``: what is in the log so far."""
    text = []
    for event in map(events.decode, log.read(0, log.length)):
        if isinstance(event, events.TextMessageContent):
            text.append(event.delta)
    parts = [{"type": "text", "content": "".join(text)}]
    return _json([{"role": "assistant", "parts": parts, "finish_reason": reason}])


def _parts(message: Message) -> list[dict[str, Any]]:
    parts = [_part(part) for part in message.content]
    if message.role == "tool":
        said = "".join(part.text for part in message.content if isinstance(part, Text))
        return [{"type": "tool_call_response", "id": message.tool_call_id, "response": said}]
    calls = [
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]
    return [*parts, *calls]


def _part(part: Part) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"type": "text", "content": text}
        case Reasoning(text):
            return {"type": "reasoning", "content": text}
        case Media(kind, url):
            return {"type": "uri", "modality": kind, "uri": url} if url else {"type": "blob", "modality": kind}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

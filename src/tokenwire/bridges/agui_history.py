"""A conversation as AG-UI has it."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..messages import MIME_TYPES, Media, Message, Reasoning, Text
from .seal import Seal

SEAL = Seal("ag-ui")


def rows(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The ``messages`` of a ``RunAgentInput``. Their ids are the same on every turn."""
    said = (row for message in messages for row in _rows(message))
    return [{"id": f"message-{number}", **row} for number, row in enumerate(said, 1)]


def _rows(message: Message) -> Iterator[dict[str, Any]]:
    match message.role:
        case "user":
            yield {"role": "user", "content": _content(message)}
        case "tool":
            yield {"role": "tool", "content": message.text, "toolCallId": message.tool_call_id}
        case "system":
            yield {"role": "system", "content": message.text}
        case "assistant":
            for part in message.content:
                if isinstance(part, Reasoning) and (value := SEAL.unseal(part.signature)) is not None:
                    yield {"role": "reasoning", "content": part.text, "encryptedValue": value}
            yield _answer(message)


def _answer(message: Message) -> dict[str, Any]:
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.tool_calls
    ]
    return {"role": "assistant", "content": message.text, **({"toolCalls": calls} if calls else {})}


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not any(isinstance(part, Media) for part in message.content):
        return message.text
    return [_part(part) for part in message.content if not isinstance(part, Reasoning)]


def _part(part: Text | Media) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    source: dict[str, Any]
    if part.data is not None:
        source = {"type": "data", "value": part.data, "mimeType": part.mime_type or MIME_TYPES[part.kind]}
    else:
        source = {"type": "url", "value": part.url, **({"mimeType": part.mime_type} if part.mime_type else {})}
    return {"type": part.kind, "source": source}

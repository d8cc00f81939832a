"""A conversation as OpenAI's chat completions take it, and everybody who speaks like them."""

import hashlib
from collections.abc import Iterable
from typing import Any

from ..errors import Code, UpstreamFailure
from ..messages import Media, Message, Reasoning, Text
from .base import PLAIN, Quirks, sealed, unsealed
from .data_url import data_url, filename, unwrapped

_THOUGHT = "reasoning_content"
REASONING = sealed("openai-chat", _THOUGHT)
"""Seals reasoning that is wanted back: nothing proves it but that it comes along with its text."""

_AUDIO_FORMATS = {"mpeg": "mp3", "wave": "wav"}


def rows(messages: Iterable[Message], quirks: Quirks = PLAIN) -> list[dict[str, Any]]:
    """The rows of a conversation. What an assistant says in several messages in a row is one of them.

    Raises :class:`UpstreamFailure` for content that the API has no shape for.
    """
    taken: list[dict[str, Any]] = []
    for message in messages:
        row = _row(message, quirks)
        last = taken[-1] if taken else None
        if row is None:
            continue
        if last is not None and last["role"] == row["role"] == "assistant":
            taken[-1] = _joined(last, row)
        else:
            taken.append(row)
    return taken


def _row(message: Message, quirks: Quirks) -> dict[str, Any] | None:
    """A message in this API's shape; ``None`` where nothing of it is sent."""
    content: str | list[dict[str, Any]]
    if not any(isinstance(part, Media) for part in message.content):
        content = message.text
    else:
        content = [_part(part) for part in message.content if not isinstance(part, Reasoning)]
    if not content and not message.tool_calls and message.role != "tool":
        return None
    row: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_call_id is not None:
        row["tool_call_id"] = _call_id(message.tool_call_id, quirks)
    if message.tool_calls:
        row["content"] = content or None
        row["tool_calls"] = [
            {
                "id": _call_id(call.id, quirks),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if quirks.reasoning_back and message.role == "assistant":
        thoughts = "".join(part.text for part in message.content if isinstance(part, Reasoning) and _is_wanted(part))
        if thoughts or message.tool_calls:  # a call without the field is refused, even one that another model made
            row[_THOUGHT] = thoughts
    return row


def _is_wanted(thought: Reasoning) -> bool:
    return unsealed("openai-chat", thought.signature) == _THOUGHT


def _joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two rows of an assistant as one."""
    row = first | second
    one, other = first["content"], second["content"]
    if isinstance(one, str) and isinstance(other, str):
        row["content"] = one + other  # to the letter: it may be one text, with a thought in its midst
    elif one and other:
        row["content"] = [*_as_parts(one), *_as_parts(other)]
    else:
        row["content"] = one or other
    for name in ("tool_calls", _THOUGHT):
        if name in first and name in second:
            row[name] = first[name] + second[name]
    return row


def _as_parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _call_id(call_id: str, quirks: Quirks) -> str:
    """The same, or where another provider made it in a way that this one refuses, one that is made from it."""
    length = quirks.call_id_length
    if length is None or (len(call_id) == length and call_id.isascii() and call_id.isalnum()):
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:length]


def _part(part: Text | Media) -> dict[str, Any]:
    """A content part (docs/wires/tanstack.md 1.6, step 5)."""
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if part.kind == "image":
        image = {"url": part.url or data_url(part)}
        return {"type": "image_url", "image_url": image | ({"detail": part.detail} if part.detail else {})}
    if part.kind == "video":
        raise UpstreamFailure(Code.unsupported_content, "This model does not take video.")
    part = unwrapped(part)
    if part.data is None:
        which = "audio" if part.kind == "audio" else "documents"
        raise UpstreamFailure(Code.unsupported_content, f"This model takes {which} as data, not by address.")
    if part.kind == "audio":
        kind = (part.mime_type or "audio/wav").partition("/")[2].partition(";")[0].strip().removeprefix("x-")
        audio = {"data": part.data, "format": _AUDIO_FORMATS.get(kind, kind)}
        return {"type": "input_audio", "input_audio": audio}
    return {"type": "file", "file": {"filename": filename(part), "file_data": data_url(part)}}

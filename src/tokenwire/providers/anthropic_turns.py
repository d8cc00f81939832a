"""A conversation as Anthropic's Messages take it.

What the API insists on and a chat does not: the system's words stand apart, user and assistant take turns, a user
begins and ends, and no text is blank.

All functions raise :class:`UpstreamFailure` for content that the API has no shape for.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from ..errors import Code, UpstreamFailure
from ..messages import Media, Message, Part, Reasoning, Text
from .base import unsealed
from .data_url import unwrapped

REDACTED = "redacted:"
"""Marks, among signatures, the thinking that only Anthropic can read. No signature has a colon."""

_OPENING = "Hello."
"""What a user is taken to have said before an assistant that speaks first, as with a greeting."""
_CONTINUE = "Continue."
"""What a user is taken to have said after an assistant that speaks last: the newer models refuse to go on by
themselves, and the older ones refuse to where the text ends with a space."""

_CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PDF = "application/pdf"
_PLURALS = {"image": "images", "audio": "audio", "video": "video", "document": "documents"}


def system(messages: Iterable[Message]) -> str:
    """All that the system says, wherever it stands."""
    said = [message for message in messages if message.role == "system"]
    for part in (part for message in said for part in message.content):
        if isinstance(part, Media):
            raise _unsupported(f"This model takes no {_PLURALS[part.kind]} in a system message.")
    return "\n\n".join(text for message in said if (text := message.text.strip()))


def tools(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """The tools that the conversation names: the API takes no call of a tool it was not told of."""
    names = dict.fromkeys(call.name for message in messages for call in message.tool_calls)
    return [{"name": name, "input_schema": {"type": "object"}} for name in names]


def turns(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """What user and assistant say, in turns: the results of tools are the user's."""
    taken: list[dict[str, Any]] = []
    for message in messages:
        blocks = _blocks(message)
        role = "assistant" if message.role == "assistant" else "user"
        if not blocks:
            continue
        if taken and taken[-1]["role"] == role:
            taken[-1]["content"] += blocks
        else:
            taken.append({"role": role, "content": blocks})
    if not taken or taken[0]["role"] == "assistant":
        taken.insert(0, {"role": "user", "content": [_text(_OPENING)]})
    if taken[-1]["role"] == "assistant":
        taken.append({"role": "user", "content": [_text(_CONTINUE)]})
    return taken


def _blocks(message: Message) -> list[dict[str, Any]]:
    """What a message adds to its turn; nothing where it is the system's, or has nothing that can be sent."""
    match message.role:
        case "system":
            return []
        case "user":
            return _content(message.content)
        case "tool":
            content = _content(message.content)
            result = {"type": "tool_result", "tool_use_id": _call_id(message.tool_call_id or "")}
            return [result | ({"content": content} if content else {})]
        case "assistant":
            said = _spoken(message)
            # a turn that ends with its thinking is refused
            return [*_thoughts(message), *said] if said else []


def _content(parts: Iterable[Part]) -> list[dict[str, Any]]:
    blocks = []
    for part in parts:
        if isinstance(part, Media):
            blocks.append(_media(part))
        elif isinstance(part, Text) and part.text.strip():
            blocks.append(_text(part.text))
    return blocks


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _spoken(message: Message) -> list[dict[str, Any]]:
    for part in message.content:
        if isinstance(part, Media):
            raise _unsupported(f"This model takes no {_PLURALS[part.kind]} in its own messages.")
    calls = [
        {"type": "tool_use", "id": _call_id(call.id), "name": call.name, "input": _input(call.arguments)}
        for call in message.tool_calls
    ]
    return _content(message.content) + calls


def _thoughts(message: Message) -> list[dict[str, Any]]:
    thoughts: list[dict[str, Any]] = []
    for part in message.content:
        signature = unsealed("anthropic", part.signature) if isinstance(part, Reasoning) else None
        if not isinstance(part, Reasoning) or not signature:
            continue
        if signature.startswith(REDACTED):
            thoughts.append({"type": "redacted_thinking", "data": signature.removeprefix(REDACTED)})
        else:
            thoughts.append({"type": "thinking", "thinking": part.text, "signature": signature})
    return thoughts


def _call_id(call_id: str) -> str:
    """The same, or where another provider made it in a way that this one refuses, one that is made from it."""
    return call_id if _CALL_ID.fullmatch(call_id) else f"toolu_{hashlib.sha256(call_id.encode()).hexdigest()[:32]}"


def _input(arguments: str) -> Any:
    """The arguments as an object, which is all that this API takes."""
    value = msgspec.Raw(arguments.encode())
    return value if arguments.lstrip().startswith("{") else {"value": value}


def _unsupported(sentence: str) -> UpstreamFailure:
    return UpstreamFailure(Code.unsupported_content, sentence)


def _media(part: Media) -> dict[str, Any]:
    part = unwrapped(part)
    match part.kind:
        case "image":
            return {"type": "image", "source": _image(part)}
        case "document":
            return {"type": "document", "source": _document(part)}
        case _:
            raise _unsupported(f"This model does not take {_PLURALS[part.kind]}.")


def _image(part: Media) -> dict[str, Any]:
    if part.data is None:
        return {"type": "url", "url": part.url}
    mime_type = (part.mime_type or "image/png").lower().replace("image/jpg", "image/jpeg")
    if mime_type not in _IMAGES:
        raise _unsupported("This model takes images only as JPEG, PNG, GIF and WebP.")
    return {"type": "base64", "media_type": mime_type, "data": part.data}


def _document(part: Media) -> dict[str, Any]:
    mime_type = (part.mime_type or _PDF).lower().partition(";")[0]
    if part.data is None:
        if mime_type != _PDF:
            raise _unsupported("This model takes documents by URL only as PDF.")
        return {"type": "url", "url": part.url}
    if mime_type == _PDF:
        return {"type": "base64", "media_type": _PDF, "data": part.data}
    if not mime_type.startswith("text/") and mime_type != "application/json":
        raise _unsupported("This model takes documents only as PDF and text.")
    try:
        return {"type": "text", "media_type": "text/plain", "data": base64.b64decode(part.data).decode()}
    except ValueError:
        raise _unsupported("This model takes text only in UTF-8.") from None

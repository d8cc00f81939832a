"""What a request may be at most: looked at before it costs anything."""

from collections.abc import Sequence

import msgspec

from ..config.limits import Limits
from ..errors import Code, Refusal
from ..messages import Message, Reasoning, Text
from ..observe.limits import limits_hit
from .json_depth import is_deeper

_tools = msgspec.json.Decoder(list[msgspec.Raw])


def check_body(body: bytes, limits: Limits) -> None:
    """Raises :class:`Refusal` (``bad_json``) for JSON that is nested too deeply to be read."""
    if is_deeper(body, limits.depth):
        raise _refusal(Code.bad_json, f"The request body is nested more than {limits.depth} levels deep.")


def check_tools(declared: bytes, limits: Limits) -> None:
    """What a request declares as its client's tools, as JSON. Raises :class:`Refusal` (``too_many_tools``)."""
    if len(declared) > limits.tool_bytes:
        raise _refusal(Code.too_many_tools, f"The request's tools are larger than {limits.tool_bytes} bytes.")
    if declared.startswith(b"[") and len(_tools.decode(declared)) > limits.tools:
        raise _refusal(Code.too_many_tools, f"The request has more than {limits.tools} tools.")


def check_conversation(messages: Sequence[Message], limits: Limits) -> None:
    """Raises :class:`Refusal` (``conversation_too_long``)."""
    total = 0
    for message in messages:
        if len(message.content) + len(message.tool_calls) > limits.parts:
            raise _too_long(f"A message has more than {limits.parts} parts.")
        characters = _characters(message)
        if characters > limits.message_characters:
            raise _too_long(f"A message has more than {limits.message_characters} characters.")
        total += characters
    if total > limits.characters:
        raise _too_long(f"The conversation has more than {limits.characters} characters.")


def _characters(message: Message) -> int:
    """Of everything that a model reads as text."""
    written = sum(len(part.text) for part in message.content if isinstance(part, Text | Reasoning))
    return written + sum(len(call.name) + len(call.arguments) for call in message.tool_calls)


def _too_long(reason: str) -> Refusal:
    return _refusal(Code.conversation_too_long, reason)


def _refusal(code: Code, reason: str) -> Refusal:
    limits_hit(code)
    return Refusal(code, reason)

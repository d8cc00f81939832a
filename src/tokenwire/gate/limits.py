"""What a request may be at most: looked at before it costs anything."""

from collections.abc import Sequence

from ..config.limits import Limits
from ..errors import Code, Refusal
from ..messages import Message, Reasoning, Text
from .json_depth import is_deeper


def check_body(body: bytes, limits: Limits) -> None:
    """Raises :class:`Refusal` (``bad_json``) for JSON that is nested too deeply to be read."""
    if is_deeper(body, limits.depth):
        raise Refusal(Code.bad_json, f"The request body is nested more than {limits.depth} levels deep.")


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
    return Refusal(Code.conversation_too_long, reason)

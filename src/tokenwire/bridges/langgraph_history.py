"""A conversation as LangChain has it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.content import ReasoningContentBlock

from ..messages import MIME_TYPES, Media, Message, Part, Reasoning, Text, ToolCall
from ..providers.data_url import filename, unwrapped
from .seal import Seal

_SEAL = Seal("langgraph")


class _Signed(msgspec.Struct):
    """What a model wants back with its reasoning, as clients carry it."""

    provider: str
    extras: dict[str, Any]


_decode = msgspec.json.Decoder(_Signed).decode


def conversation(messages: Sequence[Message], *, only_new: bool) -> list[BaseMessage]:
    """The messages.

    :param only_new: leaves out what an answer has come to already, but for the system prompt, which may be another one
        now: it has an id, by which it takes the place of the one before.
    """
    answered = max((n for n, message in enumerate(messages) if message.role == "assistant"), default=-1)
    return [
        _message(number, message)
        for number, message in enumerate(messages)
        if not only_new or number > answered or message.role == "system"
    ]


def signature(block: ReasoningContentBlock, metadata: Mapping[str, Any]) -> str | None:
    """What clients are to bring back with a block of reasoning; nothing where nobody has signed it."""
    extras, provider = block.get("extras"), metadata.get("model_provider")
    if not extras or "signature" not in extras or not isinstance(provider, str):
        return None
    return _SEAL.seal(msgspec.json.encode(_Signed(provider, extras)).decode())


def _message(number: int, message: Message) -> BaseMessage:
    match message.role:
        case "system":
            return SystemMessage(message.text, id=f"system-{number}")
        case "user":
            return HumanMessage(_content(message.content))
        case "tool":
            return ToolMessage(_content(message.content), tool_call_id=message.tool_call_id or "")
        case "assistant":
            return _answer(message)


def _answer(message: Message) -> AIMessage:
    calls = [
        {"id": call.id, "name": call.name, "args": _arguments(call), "type": "tool_call"} for call in message.tool_calls
    ]
    signed = [
        (part.text, own)
        for part in message.content
        if isinstance(part, Reasoning) and (own := _signed(part.signature)) is not None
    ]
    if not signed:
        return AIMessage(message.text, tool_calls=calls)
    content: list[dict[str, Any]] = [
        {"type": "reasoning", "reasoning": text, "extras": own.extras} for text, own in signed
    ]
    if message.text:
        content.append({"type": "text", "text": message.text})
    metadata = {"model_provider": signed[0][1].provider, "output_version": "v1"}
    return AIMessage([*content, *calls], tool_calls=calls, response_metadata=metadata)


def _arguments(call: ToolCall) -> dict[str, Any]:
    value = msgspec.json.decode(call.arguments)
    return value if isinstance(value, dict) else {}


def _signed(signature: str) -> _Signed | None:
    try:
        return None if (value := _SEAL.unseal(signature)) is None else _decode(value)
    except msgspec.DecodeError:
        return None


def _content(parts: Sequence[Part]) -> str | list[str | dict[str, Any]]:
    if not any(isinstance(part, Media) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    return [block for part in parts if (block := _block(part)) is not None]


def _block(part: Part) -> dict[str, Any] | None:
    """A content block of LangChain's standard kind."""
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Media():
            part = unwrapped(part)
            where = {"url": part.url} if part.data is None else {"base64": part.data}
            block = {"type": part.kind, **where, "mime_type": part.mime_type or MIME_TYPES[part.kind]}
            return {**block, "type": "file", "filename": filename(part)} if part.kind == "document" else block
    return None

"""A conversation as pydantic-ai has it."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec
from pydantic_ai.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)

from ..errors import Code, Refusal
from ..messages import MIME_TYPES, MediaKind, Message, Part, Reasoning, Text, ToolCall
from ..providers.data_url import unwrapped
from .seal import Seal

_SEAL = Seal("pydantic-ai")
_URLS: dict[MediaKind, type[ImageUrl | AudioUrl | VideoUrl | DocumentUrl]] = {
    "image": ImageUrl,
    "audio": AudioUrl,
    "video": VideoUrl,
    "document": DocumentUrl,
}


class _Signed(msgspec.Struct, omit_defaults=True):
    """What a provider wants back with a part, as clients carry it."""

    signature: str | None = None
    id: str | None = None
    provider_name: str | None = None
    provider_details: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Signed).decode


class Conversation:
    """The conversation so far, its last question apart.

    :ivar instructions: what its system messages say.
    :ivar prompt: the last message, if the user said it; else the agent goes on from the history.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self.instructions = "\n\n".join(message.text for message in messages if message.role == "system") or None
        self.history: list[ModelMessage] = []
        self.prompt: str | list[UserContent] | None = None
        self._tools = {call.id: call.name for message in messages for call in message.tool_calls}
        if messages and messages[-1].role == "user":
            self.prompt = _content(messages[-1].content)
            messages = messages[:-1]
        for message in messages:
            self._add(message)

    def _add(self, message: Message) -> None:
        match message.role:
            case "user":
                self._request(UserPromptPart(_content(message.content)))
            case "tool":
                call_id = message.tool_call_id or ""
                content = _content(message.content)
                self._request(ToolReturnPart(self._tools.get(call_id, ""), content, call_id))
            case "assistant":
                said = [part for piece in message.content for part in _said(piece)]
                self.history.append(ModelResponse([*said, *map(_call, message.tool_calls)]))

    def _request(self, part: ModelRequestPart) -> None:
        if self.history and isinstance(last := self.history[-1], ModelRequest):
            self.history[-1] = ModelRequest([*last.parts, part])
        else:
            self.history.append(ModelRequest([part]))


def signature(part: ThinkingPart | ToolCallPart) -> str | None:
    """What clients are to bring back with a part; nothing where its provider wants nothing back."""
    own = part.signature if isinstance(part, ThinkingPart) else None
    wanted = own if isinstance(part, ThinkingPart) else part.id
    if wanted is None and not part.provider_details:
        return None
    signed = _Signed(own, part.id, part.provider_name, part.provider_details)
    return _SEAL.seal(msgspec.json.encode(signed).decode())


def _signed(signature: str | None) -> _Signed | None:
    try:
        return None if (value := _SEAL.unseal(signature)) is None else _decode(value)
    except (msgspec.DecodeError, UnicodeError):
        return None


def _said(part: Part) -> list[ModelResponsePart]:
    if isinstance(part, Text):
        return [TextPart(part.text)]
    if isinstance(part, Reasoning) and (signed := _signed(part.signature)) is not None:
        return [ThinkingPart(part.text, **msgspec.structs.asdict(signed))]
    return []


def _call(call: ToolCall) -> ToolCallPart:
    signed = _signed(call.signature) or _Signed()
    return ToolCallPart(
        call.name,
        call.arguments,
        call.id,
        id=signed.id,
        provider_name=signed.provider_name,
        provider_details=signed.provider_details,
    )


def _content(parts: Sequence[Part]) -> str | list[UserContent]:
    if all(isinstance(part, Text) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    return [_user_content(part) for part in parts]


def _user_content(part: Part) -> UserContent:
    if isinstance(part, Text | Reasoning):
        return part.text
    part = unwrapped(part)
    if part.data is None:
        details = {"detail": part.detail} if part.detail else None
        return _URLS[part.kind](part.url or "", media_type=part.mime_type, vendor_metadata=details)
    try:
        data = base64.b64decode(part.data, validate=True)
    except binascii.Error:
        raise Refusal(Code.bad_request, f"This {part.kind} is not base64.") from None
    return BinaryContent(data, media_type=part.mime_type or MIME_TYPES[part.kind])

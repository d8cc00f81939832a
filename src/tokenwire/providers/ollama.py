"""Ollama's own chat, streamed: one JSON a line.

What its OpenAI-compatible API leaves out is why it is spoken: thinking can be turned off, and ``options`` of the
runtime (``num_ctx`` …) can be set for each question (``params.options`` of a target).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from .. import events
from ..errors import Code, UpstreamFailure
from ..messages import Media, Message
from .answer import StreamParser, served_model
from .base import PLAIN, Answer, HttpCall, Prompt, Quirks, Target, key_headers
from .data_url import unwrapped
from .lines import LineFraming
from .refusal import read_error, read_refusal

_json = msgspec.json.Encoder()


class Ollama:
    """``POST {base_url}/api/chat``. A base URL of the OpenAI-compatible API (``…/v1``) will do as well."""

    def build(self, target: Target, prompt: Prompt) -> HttpCall:
        """See :class:`tokenwire.providers.base.Provider`."""
        names = {call.id: call.name for message in prompt.messages for call in message.tool_calls}
        body: dict[str, Any] = {
            "model": target.model,
            "messages": [row for message in prompt.messages if (row := _row(message, names)) is not None],
            "stream": True,
        }
        options: dict[str, Any] = {}
        if prompt.temperature is not None:
            options["temperature"] = prompt.temperature
        if prompt.max_tokens is not None:
            options["num_predict"] = prompt.max_tokens
        if options:
            body["options"] = options
        if target.reasoning is not None:
            # a model that knows no levels takes any of them for "think"
            body["think"] = False if target.reasoning == "off" else target.reasoning
        params = dict(target.params)
        if "options" in params:
            body["options"] = options | params.pop("options")
        headers = {"content-type": "application/json", "accept": "application/x-ndjson"}
        headers |= key_headers(target, "authorization")
        quirks = target.quirks
        url = target.base_url.removesuffix("/v1") + (quirks.path or "/api/chat")
        return HttpCall("POST", f"{url}?{quirks.query}" if quirks.query else url, headers, _json.encode(body | params))

    def parser(self, message_id: str, quirks: Quirks = PLAIN) -> "ChatParser":  # noqa: ARG002
        """See :class:`ChatParser`."""
        return ChatParser(message_id)

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """See :func:`.refusal.read_refusal`."""
        return read_refusal(status, headers, body)


_ABSENT = msgspec.Raw()


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: msgspec.Raw = _ABSENT


class _ToolCall(msgspec.Struct, gc=False):
    function: _Function | None = None


class _Message(msgspec.Struct, gc=False):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Line(msgspec.Struct, gc=False):
    message: _Message | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    error: msgspec.Raw = _ABSENT


_decode_line = msgspec.json.Decoder(_Line).decode


class ChatParser(StreamParser):
    """Reads one streamed answer. Complete with the line that says ``done``."""

    def __init__(self, message_id: str) -> None:
        super().__init__(message_id, LineFraming())
        self._message_id = message_id
        self._calls = 0

    def complete(self) -> Answer | None:
        """See :class:`.answer.StreamParser`."""
        return None

    def read(self, message: bytes) -> None:
        """See :class:`.answer.StreamParser`."""
        line = _decode_line(message)
        if line.error is not _ABSENT and bytes(line.error) != b"null":
            self.outcome = read_error(bytes(line.error))
            return
        if line.message is not None:
            if line.message.thinking:
                self.narration.reasoning(line.message.thinking)
            if line.message.content:
                self.narration.text(line.message.content)
            for call in line.message.tool_calls or ():
                self._call(call)
        if line.done:
            self.outcome = self._ended(line, served_model(message))

    def _call(self, call: _ToolCall) -> None:
        if call.function is None or not call.function.name:
            return
        self._calls += 1
        # Ollama goes by the order of calls and results: what ids some versions give need not be unique, and a later
        # turn has the calls of this one beside its own
        call_id = f"{self._message_id}-call-{self._calls}"
        self.narration.begin_call(call_id, call.function.name)
        self.narration.arguments(call_id, _arguments(call.function.arguments))
        self.narration.end_call(call_id)

    def _ended(self, line: _Line, model: str | None) -> Answer | UpstreamFailure:
        reason: events.FinishReason = "tool_calls" if self._calls else "stop"
        match line.done_reason:
            case "load" | "unload":
                return UpstreamFailure(Code.upstream_error, detail=f"done_reason {line.done_reason}: nothing was asked")
            case "length":
                reason = "length"
        return Answer(reason, _usage(line.prompt_eval_count, line.eval_count), model)


def _arguments(value: msgspec.Raw) -> str:
    """A call's arguments as text. They come as an object; those who imitate Ollama also send the text of one."""
    text = bytes(value).decode()
    if text.startswith('"'):
        text = msgspec.json.decode(text, type=str)
    return "{}" if text in ("", "null") else text


def _usage(prompt: Any, completion: Any) -> events.Usage | None:
    """What was counted. Of a prompt that was cached as a whole, older versions say nothing."""
    prompt, completion = (count if type(count) is int else None for count in (prompt, completion))
    if prompt is None and completion is None:
        return None
    total = None if prompt is None or completion is None else prompt + completion
    return events.Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)


def _row(message: Message, names: Mapping[str, str]) -> dict[str, Any] | None:
    """A message in this API's shape; ``None`` where nothing of it can be sent."""
    images = [_image(part) for part in message.content if isinstance(part, Media)]
    if not message.text and not images and not message.tool_calls and message.role != "tool":
        return None
    row: dict[str, Any] = {"role": message.role, "content": message.text}
    if images:
        row["images"] = images
    if message.tool_calls:
        row["tool_calls"] = [
            {"function": {"name": call.name, "arguments": _object(call.arguments)}} for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        row["tool_name"] = names.get(message.tool_call_id, "")
    return row


def _object(arguments: str) -> msgspec.Raw:
    """A call's arguments as the JSON they are; anything but an object is refused."""
    return msgspec.Raw(arguments if arguments.lstrip().startswith("{") else "{}")


def _image(part: Media) -> str:
    if part.kind != "image":
        raise UpstreamFailure(Code.unsupported_content, f"This model does not take {_PLURALS[part.kind]}.")
    data = unwrapped(part).data
    if data is None:
        raise UpstreamFailure(Code.unsupported_content, "This model takes images as data only, not by their address.")
    return data


_PLURALS = {"audio": "audio", "video": "video", "document": "documents"}

"""OpenAI's chat completions, streamed: the API of OpenAI, Groq, Together, vLLM, Ollama, llama.cpp, OpenRouter and more.

What they do not agree on is read laxly: reasoning comes as ``reasoning_content`` or ``reasoning``, errors come as a
status or as an ``error`` object in the stream, ``[DONE]`` may be missing. What is not forgiven is a stream that ends
before the model said it was finished: that is a truncated answer, never a complete one.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from .. import events
from ..errors import Code, UpstreamFailure
from ..messages import Media, Message, Part, Reasoning, Text
from .answer import SseFraming, StreamParser
from .base import Answer, HttpCall, Prompt, Target
from .refusal import read_error, read_refusal

_json = msgspec.json.Encoder()


_AUDIO_FORMATS = {"mpeg": "mp3", "wave": "wav"}

_FINISH_REASONS: dict[str, events.FinishReason] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class OpenAIChat:
    """``POST {base_url}/chat/completions`` with ``stream: true``."""

    def build(self, target: Target, prompt: Prompt) -> HttpCall:
        """See :class:`tokenwire.providers.base.Provider`."""
        body: dict[str, Any] = {
            "model": target.model,
            "messages": [row for message in prompt.messages if (row := _row(message)) is not None],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if prompt.temperature is not None:
            body["temperature"] = prompt.temperature
        if prompt.max_tokens is not None:
            body["max_tokens"] = prompt.max_tokens
        headers = {"content-type": "application/json", "accept": "text/event-stream"}
        if target.key is not None:
            headers["authorization"] = f"Bearer {target.key.reveal()}"
        return HttpCall("POST", f"{target.base_url}/chat/completions", headers, _json.encode(body))

    def parser(self, message_id: str) -> "ChatParser":
        """See :class:`ChatParser`."""
        return ChatParser(message_id)

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """See :func:`.refusal.read_refusal`."""
        return read_refusal(status, headers, body)


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _TokenDetails(msgspec.Struct):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _TokenDetails | None = None
    completion_tokens_details: _TokenDetails | None = None


_ABSENT = msgspec.Raw()


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
    object: Any = None


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class ChatParser(StreamParser):
    """Reads one streamed chat completion. Complete after a finish reason, with or without ``[DONE]``."""

    def __init__(self, message_id: str) -> None:
        super().__init__(message_id, SseFraming())
        self._reason: events.FinishReason | None = None
        self._usage: events.Usage | None = None

    def complete(self) -> Answer | None:
        """See :class:`.answer.StreamParser`."""
        return None if self._reason is None else Answer(self._reason, self._usage)

    def read(self, message: bytes) -> None:
        """See :class:`.answer.StreamParser`."""
        if message == b"[DONE]":
            self.outcome = Answer(self._reason or "stop", self._usage)
            return
        chunk = _decode_chunk(message)
        if chunk.object == "error":  # the whole chunk is one: older vLLMs
            self._fail(message)
            return
        if chunk.error is not _ABSENT and bytes(chunk.error) != b"null":
            self._fail(bytes(chunk.error))
            return
        if chunk.choices:
            choice = chunk.choices[0]
            delta = choice.delta
            if delta is not None:
                if reasoning := delta.reasoning_content or delta.reasoning:
                    self.narration.reasoning(reasoning)
                if text := delta.content or delta.refusal:
                    self.narration.text(text)
            if choice.finish_reason == "error":
                self.outcome = UpstreamFailure(Code.upstream_error, detail="finish_reason error")
            elif choice.finish_reason:
                self._reason = _FINISH_REASONS.get(choice.finish_reason, "stop")
        if chunk.usage is not _ABSENT:
            self._usage = _usage(chunk.usage) or self._usage

    def _fail(self, error: bytes) -> None:
        self.outcome = read_error(error)


def _row(message: Message) -> dict[str, Any] | None:
    """A message in this API's shape; ``None`` where nothing of it can be sent."""
    content: str | list[dict[str, Any]]
    if not any(isinstance(part, Media) for part in message.content):
        content = message.text
    else:
        content = [shape for part in message.content if (shape := _part(part)) is not None]
    if not content and not message.tool_calls and message.role != "tool":
        return None
    row: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_call_id is not None:
        row["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        row["content"] = content or None
        row["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return row


def _part(part: Part) -> dict[str, Any] | None:
    """A content part (docs/wires/tanstack.md 1.6, step 5); what this API has no shape for is left out."""
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Reasoning):
        return None
    if part.kind == "image":
        image = {"url": part.url or _data_url(part, "image/png")}
        return {"type": "image_url", "image_url": image | ({"detail": part.detail} if part.detail else {})}
    if part.kind == "audio" and part.data is not None:
        kind = (part.mime_type or "audio/wav").partition("/")[2].partition(";")[0].strip().removeprefix("x-")
        audio = {"data": part.data, "format": _AUDIO_FORMATS.get(kind, kind)}
        return {"type": "input_audio", "input_audio": audio}
    if part.kind == "document" and part.data is not None:
        file = {"filename": "document", "file_data": _data_url(part, "application/pdf")}
        return {"type": "file", "file": file}
    return None


def _data_url(part: Media, default: str) -> str:
    return f"data:{part.mime_type or default};base64,{part.data}"


def _usage(reported: msgspec.Raw) -> events.Usage | None:
    """What was reported; nothing where it cannot be read, which is no reason to lose the answer."""
    try:
        usage = msgspec.json.decode(reported, type=_Usage | None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if usage is None:
        return None
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return events.Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        cached_tokens=prompt.cached_tokens if prompt else None,
        reasoning_tokens=completion.reasoning_tokens if completion else None,
    )

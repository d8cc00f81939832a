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
from ..messages import Media, Message, Reasoning, Text
from .answer import SseFraming, StreamParser
from .base import Answer, HttpCall, Prompt, Target
from .data_url import unwrapped
from .refusal import read_error, read_refusal
from .tool_calls import Fragment, Function, ToolCalls

_json = msgspec.json.Encoder()


_AUDIO_FORMATS = {"mpeg": "mp3", "wave": "wav"}

_FINISH_REASONS: dict[str, events.FinishReason] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
_FAILURES = {"error": Code.upstream_error, "insufficient_system_resource": Code.upstream_overloaded}
"""The finish reasons of an answer that was not finished."""


class OpenAIChat:
    """``POST {base_url}/chat/completions`` with ``stream: true``."""

    def build(self, target: Target, prompt: Prompt) -> HttpCall:
        """See :class:`tokenwire.providers.base.Provider`."""
        quirks = target.quirks
        body: dict[str, Any] = {
            "model": target.model,
            "messages": [row for message in prompt.messages if (row := _row(message)) is not None],
            "stream": True,
        }
        if quirks.stream_options:
            body["stream_options"] = {"include_usage": True}
        if prompt.temperature is not None:
            body["temperature"] = prompt.temperature
        if prompt.max_tokens is not None:
            body[quirks.max_tokens_field] = prompt.max_tokens
        if target.reasoning is not None:
            effort = "none" if target.reasoning == "off" else target.reasoning
            if quirks.reasoning_field == "reasoning_effort":
                body["reasoning_effort"] = effort
            elif quirks.reasoning_field == "reasoning":
                body["reasoning"] = {"effort": effort}
        headers = {"content-type": "application/json", "accept": "text/event-stream"}
        if target.key is not None:
            key = target.key.reveal()
            headers[quirks.key_header] = f"Bearer {key}" if quirks.key_header == "authorization" else key
        url = target.base_url + (quirks.path or "/chat/completions") + (f"?{quirks.query}" if quirks.query else "")
        return HttpCall("POST", url, headers, _json.encode(body | target.params))

    def parser(self, message_id: str) -> "ChatParser":
        """See :class:`ChatParser`."""
        return ChatParser(message_id)

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """See :func:`.refusal.read_refusal`."""
        return read_refusal(status, headers, body)


class _Part(msgspec.Struct, gc=False):
    text: str | None = None
    thinking: "str | list[_Part] | None" = None


class _Delta(msgspec.Struct, gc=False):
    content: str | list[_Part] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[Fragment] | None = None
    function_call: Function | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None


class _TokenDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _TokenDetails | None = None
    completion_tokens_details: _TokenDetails | None = None
    prompt_cache_hit_tokens: int | None = None


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
        self._calls = ToolCalls(message_id, self.narration)
        self._refused = False
        self._reason: events.FinishReason | None = None
        self._usage: events.Usage | None = None

    def complete(self) -> Answer | None:
        """See :class:`.answer.StreamParser`."""
        return None if self._reason is None else self._answer(self._reason)

    def read(self, message: bytes) -> None:
        """See :class:`.answer.StreamParser`."""
        if message == b"[DONE]":
            self.outcome = self._answer(self._reason or "stop")
            return
        chunk = _decode_chunk(message)
        if chunk.object == "error":  # the whole chunk is one: older vLLMs
            self.outcome = read_error(message)
            return
        if chunk.error is not _ABSENT and bytes(chunk.error) != b"null":
            self.outcome = read_error(bytes(chunk.error))
            return
        if chunk.choices:
            choice = chunk.choices[0]
            if choice.delta is not None:
                self._read_delta(choice.delta)
            if choice.message is not None and not self.tokens:  # else it says again what the deltas said
                self._read_delta(choice.message)
            if choice.finish_reason in _FAILURES:
                code = _FAILURES[choice.finish_reason]
                self.outcome = UpstreamFailure(code, detail=f"finish_reason {choice.finish_reason}")
            elif choice.finish_reason:
                self._reason = _FINISH_REASONS.get(choice.finish_reason, "stop")
        if chunk.usage is not _ABSENT:
            self._usage = _usage(chunk.usage) or self._usage

    def _read_delta(self, delta: _Delta) -> None:
        if reasoning := delta.reasoning_content or delta.reasoning:
            self.narration.reasoning(reasoning)
        if content := delta.content:
            if isinstance(content, str):
                self.narration.text(content)
            else:
                self._read_parts(content)
        if delta.refusal:
            self._refused = True
            self.narration.text(delta.refusal)
        if delta.tool_calls:
            self._calls.read(delta.tool_calls)
        if delta.function_call is not None:
            self._calls.read((Fragment(function=delta.function_call),))

    def _read_parts(self, parts: list[_Part]) -> None:
        """Mistral's models that reason say both in the content."""
        for part in parts:
            if part.thinking:
                thoughts = [part.thinking] if isinstance(part.thinking, str) else [it.text for it in part.thinking]
                self.narration.reasoning("".join(thought for thought in thoughts if thought))
            if part.text:
                self.narration.text(part.text)

    def _answer(self, reason: events.FinishReason) -> Answer:
        self._calls.finish()
        if reason == "stop":
            reason = "content_filter" if self._refused else "tool_calls" if self._calls else "stop"
        return Answer(reason, self._usage)


def _row(message: Message) -> dict[str, Any] | None:
    """A message in this API's shape; ``None`` where nothing of it is sent. Reasoning never is."""
    content: str | list[dict[str, Any]]
    if not any(isinstance(part, Media) for part in message.content):
        content = message.text
    else:
        content = [_part(part) for part in message.content if not isinstance(part, Reasoning)]
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


def _part(part: Text | Media) -> dict[str, Any]:
    """A content part (docs/wires/tanstack.md 1.6, step 5)."""
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if part.kind == "image":
        image = {"url": part.url or _data_url(part, "image/png")}
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
    file = {"filename": "document", "file_data": _data_url(part, "application/pdf")}
    return {"type": "file", "file": file}


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
        cached_tokens=prompt.cached_tokens if prompt else usage.prompt_cache_hit_tokens,
        reasoning_tokens=completion.reasoning_tokens if completion else None,
        cache_write_tokens=prompt.cache_write_tokens if prompt else None,
    )

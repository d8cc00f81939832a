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
from ..wire import sse
from .answer import StreamParser, served_model
from .base import PLAIN, Answer, Effort, HttpCall, Prompt, Quirks, Target, key_headers
from .openai_chat_history import REASONING, rows
from .refusal import read_error, read_refusal
from .tool_calls import Fragment, Function, ToolCalls

_json = msgspec.json.Encoder()

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
            "messages": rows(prompt.messages, quirks),
            "stream": True,
        }
        if quirks.stream_options:
            body["stream_options"] = {"include_usage": True}
        if prompt.temperature is not None:
            body["temperature"] = prompt.temperature
        if prompt.max_tokens is not None:
            body[quirks.max_tokens_field] = prompt.max_tokens
        if target.reasoning is not None:
            body |= _thinking(target.reasoning, quirks)
        headers = {"content-type": "application/json", "accept": "text/event-stream"}
        headers |= key_headers(target, "authorization")
        url = target.base_url + (quirks.path or "/chat/completions") + (f"?{quirks.query}" if quirks.query else "")
        return HttpCall("POST", url, headers, _json.encode(body | target.params))

    def parser(self, message_id: str, quirks: Quirks = PLAIN) -> "ChatParser":
        """See :class:`ChatParser`."""
        return ChatParser(message_id, quirks)

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """See :func:`.refusal.read_refusal`."""
        return read_refusal(status, headers, body)


def _thinking(effort: Effort, quirks: Quirks) -> dict[str, Any]:
    match quirks.reasoning_field:
        case "reasoning_effort":
            return {"reasoning_effort": "none" if effort == "off" else effort}
        case "reasoning":
            return {"reasoning": {"effort": "none" if effort == "off" else effort}}
        case "thinking" if effort == "off":
            return {"thinking": {"type": "disabled"}}
        case "thinking":
            return {"thinking": {"type": "enabled"}, "reasoning_effort": effort}
        case "none":
            return {}


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

    def __init__(self, message_id: str, quirks: Quirks = PLAIN) -> None:
        super().__init__(message_id, sse.Parser())
        self._seals = quirks.reasoning_back
        self._thinking = False
        """Whether there is reasoning that is not sealed yet."""
        self._calls = ToolCalls(message_id, self.narration)
        self._refused = False
        self._reason: events.FinishReason | None = None
        self._usage: events.Usage | None = None
        self._model: str | None = None

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
                self._model = served_model(message)
        if chunk.usage is not _ABSENT:
            self._usage = _usage(chunk.usage) or self._usage

    def _read_delta(self, delta: _Delta) -> None:
        if reasoning := delta.reasoning_content or delta.reasoning:
            self._thinking = self._seals
            self.narration.reasoning(reasoning)
        if self._thinking and (delta.content or delta.tool_calls):
            self._thinking = False
            self.narration.sign(REASONING)
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
        return Answer(reason, self._usage, self._model)


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

"""Google's Gemini, streamed.

Every thought signature goes back on the very part it came with (:mod:`.gemini_history`). What the model makes that is
neither text nor a call of ours (images, code it ran) is not told.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from .. import events
from ..errors import Code, UpstreamFailure
from ..wire import sse
from .answer import StreamParser, served_model
from .base import PLAIN, Answer, Effort, HttpCall, Prompt, Quirks, Target, key_headers, sealed
from .gemini_history import SignedText, contents, signed_thought, system_instruction
from .refusal import read_error, read_refusal

_json = msgspec.json.Encoder()

_FINISH_REASONS: dict[str, events.FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
"""All others (``MALFORMED_FUNCTION_CALL``, ``OTHER`` …) say that the model did not get to an end."""

_UNSPECIFIED = ("FINISH_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED")
_VERSIONED = re.compile(r"/v\d")
_THINKS_BY_BUDGET = re.compile(r"gemini-[12]\b")
_BUDGETS: dict[Effort, int] = {"off": 0, "low": 1024, "medium": 8192, "high": 24576}
_LEAST_BUDGET = 128


class Gemini:
    """``POST {base_url}/models/{model}:streamGenerateContent``.

    A base URL that names no version means ``v1beta``: ``v1`` knows neither previews nor ``gemini-flash-latest``.

    ``reasoning`` is a budget of tokens for models up to Gemini 2.5, which know no levels, and a level for all others,
    which take one or the other but never both. Neither 2.5 Pro nor Gemini 3 can be told not to think: ``off`` is the
    least that all of them take.
    """

    def build(self, target: Target, prompt: Prompt) -> HttpCall:
        """See :class:`tokenwire.providers.base.Provider`."""
        body: dict[str, Any] = {"contents": contents(prompt.messages)}
        if system := system_instruction(prompt.messages):
            body["systemInstruction"] = system
        config: dict[str, Any] = {}
        if prompt.temperature is not None:
            config["temperature"] = prompt.temperature
        if prompt.max_tokens is not None:
            config["maxOutputTokens"] = prompt.max_tokens
        if target.reasoning is not None:
            config["thinkingConfig"] = _thinking(target.model, target.reasoning)
        if config:
            body["generationConfig"] = config
        params = dict(target.params)
        if "generationConfig" in params:
            body["generationConfig"] = config | params.pop("generationConfig")
        headers = {"content-type": "application/json", "accept": "text/event-stream"}
        headers |= key_headers(target, "x-goog-api-key")
        return HttpCall("POST", _url(target), headers, _json.encode(body | params))

    def parser(self, message_id: str, quirks: Quirks = PLAIN) -> "GeminiParser":  # noqa: ARG002
        """See :class:`GeminiParser`."""
        return GeminiParser(message_id)

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """See :func:`.refusal.read_refusal`."""
        return read_refusal(status, headers, body)


def _url(target: Target) -> str:
    base_url, model, quirks = target.base_url, quote(target.model), target.quirks
    if not _VERSIONED.search(base_url):
        base_url += "/v1beta"
    path = quirks.path or f"/{model if '/' in model else f'models/{model}'}:streamGenerateContent"
    return f"{base_url}{path}?alt=sse" + (f"&{quirks.query}" if quirks.query else "")


def _thinking(model: str, effort: Effort) -> dict[str, Any]:
    if _THINKS_BY_BUDGET.search(model):
        least = _LEAST_BUDGET if "-pro" in model else 0
        thinking: dict[str, Any] = {"thinkingBudget": max(least, _BUDGETS[effort])}
    else:
        # MINIMAL is less, but most models refuse it
        thinking = {"thinkingLevel": "LOW" if effort == "off" else effort.upper()}
    return thinking if effort == "off" else {"includeThoughts": True, **thinking}


_ABSENT = msgspec.Raw()


class _FunctionCall(msgspec.Struct, gc=False):
    name: str | None = None
    args: msgspec.Raw = _ABSENT
    id: Any = None


class _Part(msgspec.Struct, gc=False, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _FunctionCall | None = None


class _Content(msgspec.Struct, gc=False):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, gc=False, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: Any = None
    index: Any = None


class _PromptFeedback(msgspec.Struct, gc=False, rename="camel"):
    block_reason: str | None = None


class _Chunk(msgspec.Struct, gc=False, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _PromptFeedback | None = None
    usage_metadata: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    total_token_count: int | None = None


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class GeminiParser(StreamParser):
    """Reads the first candidate of one streamed answer. Complete where the body ends after a finish reason.

    The reason itself is not the end: the oldest models give one with every chunk.
    """

    def __init__(self, message_id: str) -> None:
        super().__init__(message_id, sse.Parser())
        self._message_id = message_id
        self._reason: events.FinishReason | None = None
        self._usage: events.Usage | None = None
        self._model: str | None = None
        self._calls: set[str] = set()
        self._text = SignedText()

    def complete(self) -> Answer | None:
        """See :class:`.answer.StreamParser`."""
        if self._reason is None:
            return None
        reason = "tool_calls" if self._calls and self._reason == "stop" else self._reason
        return Answer(reason, self._usage, self._model)

    def read(self, message: bytes) -> None:
        """See :class:`.answer.StreamParser`."""
        chunk = _decode_chunk(message)
        if chunk.error is not _ABSENT and bytes(chunk.error) != b"null":
            self.outcome = read_error(bytes(chunk.error))
            return
        if chunk.usage_metadata is not _ABSENT:
            self._usage = _usage(chunk.usage_metadata) or self._usage
        blocked = chunk.prompt_feedback.block_reason if chunk.prompt_feedback else None
        if blocked and blocked not in _UNSPECIFIED:
            self.outcome = UpstreamFailure(Code.content_filtered, detail=f"blockReason {blocked}")
            return
        candidate = next((candidate for candidate in chunk.candidates or () if not candidate.index), None)
        if candidate is not None:
            for part in (candidate.content and candidate.content.parts) or ():
                self._part(part)
            if candidate.finish_reason and candidate.finish_reason not in _UNSPECIFIED:
                self._finish(candidate.finish_reason, candidate.finish_message)
                self._model = served_model(message)

    def _part(self, part: _Part) -> None:
        if part.function_call is not None:
            self._sign(self._text.end(of_answer=False))
            self._call(part.function_call, part.thought_signature)
        elif part.thought:
            self._sign(self._text.end(of_answer=False))
            self.narration.reasoning(part.text or "")
            if part.thought_signature:
                self._sign([signed_thought(part.thought_signature)])
        elif part.text is not None or part.thought_signature:
            text = part.text or ""
            self._sign(self._text.add(text, part.thought_signature))
            self.narration.text(text)

    def _call(self, call: _FunctionCall, signature: str | None) -> None:
        if not call.name:
            return
        call_id = call.id
        if not isinstance(call_id, str) or not call_id or call_id in self._calls:
            # a later turn has the calls of this one beside its own
            call_id = f"{self._message_id}-call-{len(self._calls) + 1}"
        self._calls.add(call_id)
        arguments = bytes(call.args).decode()
        self.narration.begin_call(call_id, call.name, sealed("gemini", signature) if signature else None)
        self.narration.arguments(call_id, arguments if arguments.startswith("{") else "{}")
        self.narration.end_call(call_id)

    def _finish(self, reason: str, message: Any) -> None:
        self._sign(self._text.end(of_answer=True))
        self._reason = _FINISH_REASONS.get(reason)
        if self._reason is None:
            self.outcome = UpstreamFailure(Code.upstream_error, detail=f"finishReason {reason}: {message or ''}")

    def _sign(self, signatures: Iterable[str]) -> None:
        for signature in signatures:
            self.narration.sign(sealed("gemini", signature))


def _usage(reported: msgspec.Raw) -> events.Usage | None:
    """What was reported; nothing where it cannot be read, which is no reason to lose the answer."""
    try:
        usage = msgspec.json.decode(reported, type=_Usage | None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if usage is None:
        return None
    return events.Usage(
        prompt_tokens=_sum(usage.prompt_token_count, usage.tool_use_prompt_token_count),
        completion_tokens=_sum(usage.candidates_token_count, usage.thoughts_token_count),
        total_tokens=usage.total_token_count,
        cached_tokens=usage.cached_content_token_count,
        reasoning_tokens=usage.thoughts_token_count,
    )


def _sum(*counts: int | None) -> int | None:
    """Of those that were reported."""
    reported = [count for count in counts if count is not None]
    return sum(reported) if reported else None

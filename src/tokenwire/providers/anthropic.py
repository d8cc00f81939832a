"""Anthropic's Messages, streamed."""

import re
from collections.abc import Mapping
from itertools import count
from typing import Annotated, Any

import msgspec

from .. import events
from ..errors import UpstreamFailure
from ..wire import sse
from .answer import StreamParser
from .anthropic_turns import REDACTED, system, tools, turns
from .base import PLAIN, Answer, Effort, HttpCall, Prompt, Quirks, Target, key_headers, sealed
from .refusal import read_error, read_refusal

DEFAULT_MAX_TOKENS = 32_000
"""The limit where nobody set one: as much as each of the current models can say."""

_VERSION = "2023-06-01"

_GENERATION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2}))?(?!\d)")
_ADAPTIVE = (4, 6)
"""Since then a model itself decides how long it thinks; before, it has a budget."""
_NO_SAMPLING = (4, 7)
"""Since then a temperature is refused."""
_ALWAYS_THINKING = (5, 0)
"""Since then there are models that refuse not to think."""
_NEWEST = (99, 0)
_BUDGETS: dict[Effort, int] = {"low": 2_048, "medium": 8_192, "high": 16_000}
_SMALLEST_BUDGET = 1_024
_HOTTEST = 1.0

_FINISH_REASONS: dict[str, events.FinishReason] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class Anthropic:
    """``POST {base_url}/v1/messages`` with ``stream: true``. A base URL that ends with ``/v1`` will do as well."""

    def build(self, target: Target, prompt: Prompt) -> HttpCall:
        """See :class:`tokenwire.providers.base.Provider`.

        Thinking that has a budget gets at most half of the tokens, and is left out where that is too little to begin.
        """
        max_tokens = prompt.max_tokens or DEFAULT_MAX_TOKENS
        body: dict[str, Any] = {
            "model": target.model,
            "max_tokens": max_tokens,
            "messages": turns(prompt.messages),
            "stream": True,
        }
        if instructions := system(prompt.messages):
            body["system"] = instructions
        if "tools" not in target.params and (named := tools(prompt.messages)):
            body |= {"tools": named, "tool_choice": {"type": "none"}}
        body |= _thinking(target, max_tokens) | target.params
        if prompt.temperature is not None and "thinking" not in body and _generation(target.model) < _NO_SAMPLING:
            body.setdefault("temperature", min(prompt.temperature, _HOTTEST))
        quirks = target.quirks
        url = target.base_url.removesuffix("/v1") + (quirks.path or "/v1/messages")
        headers = {"content-type": "application/json", "accept": "text/event-stream", "anthropic-version": _VERSION}
        headers |= key_headers(target, "x-api-key")
        return HttpCall("POST", f"{url}?{quirks.query}" if quirks.query else url, headers, msgspec.json.encode(body))

    def parser(self, message_id: str, quirks: Quirks = PLAIN) -> "MessagesParser":  # noqa: ARG002
        """See :class:`MessagesParser`."""
        return MessagesParser(message_id)

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """See :func:`.refusal.read_refusal`."""
        return read_refusal(status, headers, body)


def _generation(model: str) -> tuple[int, int]:
    """Which generation of Claude; models of others that speak this API are taken for early ones."""
    name = model.lower()
    if found := _GENERATION.search(name):
        return int(found[1]), int(found[2] or 0)
    return _NEWEST if "claude" in name else (0, 0)


def _thinking(target: Target, max_tokens: int) -> dict[str, Any]:
    effort, generation = target.reasoning, _generation(target.model)
    if effort is None:
        return {}
    if effort == "off":
        return {"output_config": {"effort": "low"}} if generation >= _ALWAYS_THINKING else {}
    if generation >= _ADAPTIVE:
        return {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": effort}}
    budget = min(_BUDGETS[effort], max_tokens // 2)
    return {"thinking": {"type": "enabled", "budget_tokens": budget}} if budget >= _SMALLEST_BUDGET else {}


_ABSENT = msgspec.Raw()
_NULL = b"null"


class _Delta(msgspec.Struct, gc=False):
    type: str | None = None
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class _Message(msgspec.Struct):
    usage: msgspec.Raw = _ABSENT
    model: Any = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    index: int | None = None
    delta: _Delta | None = None
    content_block: msgspec.Raw = _ABSENT
    message: _Message | None = None
    usage: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT


class _Block(msgspec.Struct):
    type: str


class _TextBlock(msgspec.Struct):
    text: str = ""


class _ThinkingBlock(msgspec.Struct):
    thinking: str = ""
    signature: str = ""


class _RedactedBlock(msgspec.Struct):
    data: str


class _ToolUseBlock(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    id: str | None = None
    input: msgspec.Raw = _ABSENT


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


_decode_event = msgspec.json.Decoder(_Event).decode


class _OpenCall:
    def __init__(self, call_id: str, whole: str) -> None:
        self.id = call_id
        self.whole = whole
        """The arguments, where no deltas follow."""
        self.spoken = False


class MessagesParser(StreamParser):
    """Reads one streamed message. Complete after a stop reason, with or without ``message_stop``.

    Blocks that are about tools of the provider's own, and citations, are passed over.
    """

    def __init__(self, message_id: str) -> None:
        super().__init__(message_id, sse.Parser())
        self._message_id = message_id
        self._reason: events.FinishReason | None = None
        self._usage = _Usage()
        self._model: str | None = None
        self._signature: str | None = None
        """Of the thinking that is open; ``None`` where there is none."""
        self._calls: dict[int | None, _OpenCall] = {}
        """Those that are open, by the index of their block."""
        self._ids: set[str] = set()
        self._numbers = count(1)

    def complete(self) -> Answer | None:
        """See :class:`.answer.StreamParser`."""
        return None if self._reason is None else Answer(self._reason, _usage(self._usage), self._model)

    def read(self, message: bytes) -> None:
        """See :class:`.answer.StreamParser`."""
        event = _decode_event(message)
        match event.type:
            case "content_block_delta":
                self._more(event.index, event.delta or _Delta())
            case "content_block_start":
                self._end_block(event.index)
                self._begin_block(event.index, event.content_block)
            case "content_block_stop":
                self._end_block(event.index)
            case "message_start":
                if event.message is not None:
                    self._count(event.message.usage)
                    self._model = event.message.model if isinstance(event.message.model, str) else None
                    self._usage.output_tokens = None  # a placeholder: nothing was said yet
            case "message_delta":
                self._count(event.usage)
                if event.delta is not None and event.delta.stop_reason:
                    self._reason = _FINISH_REASONS.get(event.delta.stop_reason, "stop")
                    for index in (*self._calls, None):  # where the ends of blocks are left out
                        self._end_block(index)
            case "message_stop":
                self.outcome = Answer(self._reason or "stop", _usage(self._usage), self._model)
            case kind if kind == "error" or bytes(event.error) not in (b"", _NULL):
                self.outcome = read_error(bytes(event.error) or message)

    def _begin_block(self, index: int | None, block: msgspec.Raw) -> None:
        match msgspec.json.decode(block, type=_Block).type:
            case "text":
                self.narration.text(msgspec.json.decode(block, type=_TextBlock).text)
            case "thinking":
                thinking = msgspec.json.decode(block, type=_ThinkingBlock)
                self.narration.reasoning(thinking.thinking)
                self._signature = thinking.signature
            case "redacted_thinking":
                redacted = msgspec.json.decode(block, type=_RedactedBlock)
                self.narration.sign(sealed("anthropic", REDACTED + redacted.data))
            case "tool_use":
                call = msgspec.json.decode(block, type=_ToolUseBlock)
                call_id = call.id or ""
                while not call_id or call_id in self._ids:
                    call_id = f"{self._message_id}-call-{next(self._numbers)}"
                self._ids.add(call_id)
                self._calls[index] = _OpenCall(call_id, bytes(call.input).decode() or "{}")
                self.narration.begin_call(call_id, call.name)

    def _more(self, index: int | None, delta: _Delta) -> None:
        match delta.type:
            case "text_delta":
                self.narration.text(delta.text)
            case "thinking_delta":
                self.narration.reasoning(delta.thinking)
            case "signature_delta":
                self._signature = delta.signature
            case "input_json_delta" if delta.partial_json and (call := self._calls.get(index)):
                call.spoken = True
                self.narration.arguments(call.id, delta.partial_json)

    def _end_block(self, index: int | None) -> None:
        if call := self._calls.pop(index, None):
            if not call.spoken:
                self.narration.arguments(call.id, call.whole)
            self.narration.end_call(call.id)
        elif self._signature is not None:
            if self._signature:
                self.narration.sign(sealed("anthropic", self._signature))
            else:
                self.narration.end_reasoning()
            self._signature = None

    def _count(self, usage: msgspec.Raw) -> None:
        """Takes over what is reported: the counts are those of all so far. What cannot be read is no reason to fail."""
        try:
            reported = msgspec.json.decode(usage, type=_Usage)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        for field in _Usage.__struct_fields__:
            if (value := getattr(reported, field)) is not None:
                setattr(self._usage, field, value)


def _usage(reported: _Usage) -> events.Usage | None:
    if reported == _Usage():
        return None
    prompt = reported.input_tokens
    if prompt is not None:
        prompt += (reported.cache_creation_input_tokens or 0) + (reported.cache_read_input_tokens or 0)
    completion, details = reported.output_tokens, reported.output_tokens_details
    return events.Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=None if prompt is None or completion is None else prompt + completion,
        cached_tokens=reported.cache_read_input_tokens,
        reasoning_tokens=details.thinking_tokens if details else None,
        cache_write_tokens=reported.cache_creation_input_tokens,
    )

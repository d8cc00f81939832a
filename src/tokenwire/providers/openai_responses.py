"""OpenAI's Responses, streamed. Nothing is stored there: the whole conversation is sent each time."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Annotated, Any

import msgspec

from .. import events
from ..errors import Code, UpstreamFailure
from ..messages import Media, Message, Part, Reasoning, Text
from ..wire import sse
from .answer import StreamParser, served_model
from .base import PLAIN, Answer, HttpCall, Prompt, Quirks, Target, key_headers, sealed, unsealed
from .data_url import data_url, filename, unwrapped
from .refusal import read_error, read_refusal

_SMALLEST_LIMIT = 16
"""Fewer tokens than that are refused."""
_LONGEST_CALL_ID = 64


class OpenAIResponses:
    """``POST {base_url}/responses`` with ``stream: true`` and ``store: false``."""

    def build(self, target: Target, prompt: Prompt) -> HttpCall:
        """See :class:`tokenwire.providers.base.Provider`."""
        body: dict[str, Any] = {
            "model": target.model,
            "input": [item for message in prompt.messages for item in _items(message)],
            "stream": True,
            "store": False,
        }
        if prompt.max_tokens is not None:
            body["max_output_tokens"] = max(prompt.max_tokens, _SMALLEST_LIMIT)
        if target.reasoning == "off":
            body["reasoning"] = {"effort": "none"}
        elif target.reasoning is not None:
            body["reasoning"] = {"effort": target.reasoning, "summary": "auto"}
            body["include"] = ["reasoning.encrypted_content"]
        if prompt.temperature is not None and target.reasoning in (None, "off"):  # a model that thinks refuses it
            body["temperature"] = prompt.temperature
        body |= target.params
        quirks = target.quirks
        url = target.base_url + (quirks.path or "/responses") + (f"?{quirks.query}" if quirks.query else "")
        headers = {"content-type": "application/json", "accept": "text/event-stream"}
        headers |= key_headers(target, "authorization")
        return HttpCall("POST", url, headers, msgspec.json.encode(body))

    def parser(self, message_id: str, quirks: Quirks = PLAIN) -> "ResponseParser":  # noqa: ARG002
        """See :class:`ResponseParser`."""
        return ResponseParser(message_id)

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """See :func:`.refusal.read_refusal`."""
        return read_refusal(status, headers, body)


def _items(message: Message) -> Iterator[dict[str, Any]]:
    """A message as items of the input: what was thought comes before what came of it."""
    match message.role:
        case "tool":
            output = _content(message)
            yield {"type": "function_call_output", "call_id": _call_id(message.tool_call_id or ""), "output": output}
        case "assistant":
            if any(isinstance(part, Media) for part in message.content):
                raise _unsupported("This model takes only text in its own messages.")
            if message.text or message.tool_calls:  # thinking that nothing came of is refused
                yield from _thoughts(message.content)
            if message.text:
                yield {"role": "assistant", "content": message.text}
            for call in message.tool_calls:
                yield {
                    "type": "function_call",
                    "call_id": _call_id(call.id),
                    "name": call.name,
                    "arguments": call.arguments,
                }
        case role if content := _content(message):
            yield {"role": role, "content": content}


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not any(isinstance(part, Media) for part in message.content):
        return message.text
    return [shape for part in message.content if (shape := _part(part)) is not None]


def _part(part: Part) -> dict[str, Any] | None:
    match part:
        case Text(text):
            return {"type": "input_text", "text": text}
        case Media():
            return _media(unwrapped(part))
        case Reasoning():
            return None


def _media(part: Media) -> dict[str, Any]:
    match part.kind:
        case "image":
            image = part.url or data_url(part)
            return {"type": "input_image", "image_url": image, "detail": part.detail or "auto"}
        case "document" if part.url is not None:
            return {"type": "input_file", "file_url": part.url}
        case "document":
            return {"type": "input_file", "filename": filename(part), "file_data": data_url(part)}
        case "audio" | "video":
            raise _unsupported(f"This model does not take {part.kind}.")


def _thoughts(parts: Iterable[Part]) -> Iterator[dict[str, Any]]:
    for part in parts:
        if isinstance(part, Reasoning) and (value := unsealed("openai-responses", part.signature)):
            item_id, _, encrypted = value.partition(":")
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            yield {"type": "reasoning", "id": item_id, "summary": summary, "encrypted_content": encrypted}


def _call_id(call_id: str) -> str:
    """The same, or where another provider made it too long, one that is made from it."""
    return call_id if len(call_id) <= _LONGEST_CALL_ID else f"call_{hashlib.sha256(call_id.encode()).hexdigest()[:32]}"


def _unsupported(sentence: str) -> UpstreamFailure:
    return UpstreamFailure(Code.unsupported_content, sentence)


_ABSENT = msgspec.Raw()


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    delta: Any = None
    output_index: int | None = None
    summary_index: int | None = None
    content_index: int | None = None
    arguments: Any = None
    item: msgspec.Raw = _ABSENT
    response: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT


class _Item(msgspec.Struct):
    type: str = ""


class _FunctionCall(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    call_id: str | None = None
    arguments: str | None = None


class _ReasoningItem(msgspec.Struct):
    id: str | None = None
    encrypted_content: str | None = None


class _IncompleteDetails(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    incomplete_details: _IncompleteDetails | None = None
    usage: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT


class _TokenDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: _TokenDetails | None = None
    output_tokens_details: _TokenDetails | None = None


_decode_event = msgspec.json.Decoder(_Event).decode


class _OpenCall:
    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self.spoken = False
        """Whether something of its arguments was told."""


class ResponseParser(StreamParser):
    """Reads one streamed response. Complete only with the event that says so.

    Items that are about tools of the provider's own are passed over. The parts of a summary are told as one text, with
    a blank line between them: they are signed together.
    """

    def __init__(self, message_id: str) -> None:
        super().__init__(message_id, sse.Parser())
        self._message_id = message_id
        self._refused = False
        self._thought: int | None = None
        """The part of a reasoning item that was told last; ``None`` where none was."""
        self._calls: dict[int | None, _OpenCall] = {}
        """Those that are open, by the index of their item."""
        self._ids: set[str] = set()
        self._numbers = count(1)

    def complete(self) -> Answer | None:
        """See :class:`.answer.StreamParser`."""
        return None

    def read(self, message: bytes) -> None:
        """See :class:`.answer.StreamParser`."""
        event = _decode_event(message)
        match event.type:
            case "response.output_text.delta":
                self.narration.text(_string(event.delta))
            case "response.refusal.delta":
                self._refused = True
                self.narration.text(_string(event.delta))
            case "response.reasoning_summary_text.delta":
                self._think(event.summary_index, _string(event.delta))
            case "response.reasoning_text.delta":
                self._think(event.content_index, _string(event.delta))
            case "response.function_call_arguments.delta":
                self._argue(event.output_index, _string(event.delta))
            case "response.function_call_arguments.done":
                self._end_call(event.output_index, _string(event.arguments or ""))
            case "response.output_item.added":
                self._begin_item(event.output_index, event.item)
            case "response.output_item.done":
                self._end_item(event.output_index, event.item)
            case "response.completed" | "response.incomplete" | "response.failed":
                self._conclude(event.type, event.response)
            case kind if kind == "error" or _said(event.error):
                self.outcome = read_error(_said(event.error) or message)

    def _think(self, part: int | None, delta: str) -> None:
        if self._thought is not None and self._thought != part:
            self.narration.reasoning("\n\n")
        self._thought = part
        self.narration.reasoning(delta)

    def _begin_item(self, index: int | None, item: msgspec.Raw) -> None:
        if msgspec.json.decode(item, type=_Item).type == "function_call":
            self._begin_call(index, msgspec.json.decode(item, type=_FunctionCall))

    def _end_item(self, index: int | None, item: msgspec.Raw) -> None:
        match msgspec.json.decode(item, type=_Item).type:
            case "reasoning":
                thought = msgspec.json.decode(item, type=_ReasoningItem)
                self._thought = None
                if thought.id and thought.encrypted_content:
                    self.narration.sign(sealed("openai-responses", f"{thought.id}:{thought.encrypted_content}"))
                else:
                    self.narration.end_reasoning()
            case "function_call":
                call = msgspec.json.decode(item, type=_FunctionCall)
                if call.call_id and call.call_id not in self._ids:
                    self._begin_call(index, call)
                self._end_call(index, call.arguments or "")

    def _begin_call(self, index: int | None, call: _FunctionCall) -> None:
        self._end_call(index, "")
        call_id = call.call_id or ""
        while not call_id or call_id in self._ids:
            call_id = f"{self._message_id}-call-{next(self._numbers)}"
        self._ids.add(call_id)
        self._calls[index] = _OpenCall(call_id)
        self.narration.begin_call(call_id, call.name)

    def _argue(self, index: int | None, delta: str) -> None:
        if delta and (call := self._calls.get(index)):
            call.spoken = True
            self.narration.arguments(call.id, delta)

    def _end_call(self, index: int | None, arguments: str) -> None:
        """Ends the call of this index, if it is open; ``arguments`` is all of them, where no deltas came."""
        if call := self._calls.pop(index, None):
            if not call.spoken:
                self.narration.arguments(call.id, arguments or "{}")
            self.narration.end_call(call.id)

    def _conclude(self, kind: str, said: msgspec.Raw) -> None:
        response = msgspec.json.decode(said, type=_Response)
        if kind == "response.failed":
            self.outcome = read_error(_said(response.error) or b"{}")
            return
        reason: events.FinishReason = "stop"
        if self._refused:
            reason = "content_filter"
        elif kind == "response.incomplete":
            details = response.incomplete_details
            reason = "content_filter" if details and details.reason == "content_filter" else "length"
        elif self._ids:
            reason = "tool_calls"
        self.outcome = Answer(reason, _usage(response.usage), served_model(said))


def _string(delta: Any) -> str:
    return msgspec.convert(delta, str)


def _said(value: msgspec.Raw) -> bytes:
    """The JSON of a field; empty where it is absent or null."""
    raw = bytes(value)
    return b"" if raw == b"null" else raw


def _usage(reported: msgspec.Raw) -> events.Usage | None:
    """What was reported; nothing where it cannot be read, which is no reason to lose the answer."""
    try:
        usage = msgspec.json.decode(reported, type=_Usage | None)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if usage is None:
        return None
    prompt, completion = usage.input_tokens_details, usage.output_tokens_details
    return events.Usage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        cached_tokens=prompt.cached_tokens if prompt else None,
        reasoning_tokens=completion.reasoning_tokens if completion else None,
        cache_write_tokens=prompt.cache_write_tokens if prompt else None,
    )

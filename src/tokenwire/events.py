"""What can happen in a run: one vocabulary, AG-UI 1.0, and one canonical JSON for each event.

An event is encoded once, when it is appended to the run's log, and every wire reads that JSON. Three properties
of the canonical form let a wire reframe it without decoding it:

* ``type`` comes first, so a prefix tells the kind;
* in the events that carry text, ``delta`` comes last;
* absent fields are left out, never ``null``.

Fields beyond AG-UI (``finishReason``, ``model`` and the shape of ``usage`` in ``RUN_FINISHED``) are what TanStack's
clients read (docs/wires/tanstack.md 2.1); AG-UI clients ignore them.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

FinishReason = Literal["stop", "length", "content_filter", "tool_calls", "cancelled"]


class Usage(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Tokens as the provider reported them. What it did not report is left out, never 0."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    """Of the prompt's, those read from a cache."""
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None
    """Of the prompt's, those written to one."""


class _Event(msgspec.Struct, frozen=True, gc=False, tag_field="type", rename="camel", omit_defaults=True):
    pass


class RunStarted(_Event, frozen=True, tag="RUN_STARTED"):
    """The first event of every run, logged the moment the run is accepted."""

    thread_id: str
    run_id: str


class RunFinished(_Event, frozen=True, tag="RUN_FINISHED"):
    """The run's end by its own means, or (``cancelled``) because somebody asked for it. Terminal."""

    thread_id: str
    run_id: str
    finish_reason: FinishReason
    model: str | None = None
    usage: Usage | None = None


class RunError(_Event, frozen=True, tag="RUN_ERROR"):
    """The run failed. ``message`` is safe to show; ``code`` is one of :class:`tokenwire.errors.Code`. Terminal."""

    message: str
    code: str
    thread_id: str
    run_id: str


class TextMessageStart(_Event, frozen=True, tag="TEXT_MESSAGE_START"):
    """Text of a message begins. ``message_id`` is new in the whole conversation."""

    message_id: str
    role: Literal["assistant"]


class TextMessageContent(_Event, frozen=True, tag="TEXT_MESSAGE_CONTENT"):
    """More text of an open message: one or more characters."""

    message_id: str
    delta: str


class TextMessageEnd(_Event, frozen=True, tag="TEXT_MESSAGE_END"):
    """The message is complete."""

    message_id: str


class ReasoningStart(_Event, frozen=True, tag="REASONING_START"):
    """A span of reasoning begins."""

    message_id: str


class ReasoningMessageStart(_Event, frozen=True, tag="REASONING_MESSAGE_START"):
    """Readable reasoning begins within the span of the same id."""

    message_id: str
    role: Literal["reasoning"]


class ReasoningMessageContent(_Event, frozen=True, tag="REASONING_MESSAGE_CONTENT"):
    """More reasoning: one or more characters."""

    message_id: str
    delta: str


class ReasoningMessageEnd(_Event, frozen=True, tag="REASONING_MESSAGE_END"):
    """The readable reasoning is complete."""

    message_id: str


class ReasoningEncryptedValue(_Event, frozen=True, tag="REASONING_ENCRYPTED_VALUE"):
    """What the provider wants back with a span of reasoning (``message``), or with a tool call, on later turns.

    Opaque to clients, and to every provider but the one it came from.
    """

    subtype: Literal["message", "tool-call"]
    entity_id: str
    encrypted_value: str


class ReasoningEnd(_Event, frozen=True, tag="REASONING_END"):
    """The span is complete."""

    message_id: str


class ToolCallStart(_Event, frozen=True, tag="TOOL_CALL_START"):
    """The model calls a tool, as part of a message."""

    tool_call_id: str
    tool_call_name: str
    parent_message_id: str


class ToolCallArgs(_Event, frozen=True, tag="TOOL_CALL_ARGS"):
    """More of a call's arguments: text that is JSON once it is complete."""

    tool_call_id: str
    delta: str


class ToolCallEnd(_Event, frozen=True, tag="TOOL_CALL_END"):
    """The arguments are complete."""

    tool_call_id: str


class ToolCallResult(_Event, frozen=True, tag="TOOL_CALL_RESULT"):
    """What a tool that ran here gave."""

    message_id: str
    tool_call_id: str
    content: str
    role: Literal["tool"] = "tool"


class Custom(_Event, frozen=True, tag="CUSTOM"):
    """Something of the application's own: any JSON under a name."""

    name: str
    value: Any


Event = (
    RunStarted
    | RunFinished
    | RunError
    | TextMessageStart
    | TextMessageContent
    | TextMessageEnd
    | ReasoningStart
    | ReasoningMessageStart
    | ReasoningMessageContent
    | ReasoningMessageEnd
    | ReasoningEncryptedValue
    | ReasoningEnd
    | ToolCallStart
    | ToolCallArgs
    | ToolCallEnd
    | ToolCallResult
    | Custom
)

Terminal = RunFinished | RunError

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


encode: Callable[[Event], bytes] = _encoder.encode
"""The canonical JSON of an event: one line of UTF-8."""


def decode(payload: bytes) -> Event:
    """The event of a canonical JSON. Raises :class:`msgspec.DecodeError` for anything else."""
    return _decoder.decode(payload)


def is_terminal(payload: bytes) -> bool:
    """Whether a canonical JSON is that of ``RUN_FINISHED`` or ``RUN_ERROR``."""
    return payload.startswith((b'{"type":"RUN_FINISHED"', b'{"type":"RUN_ERROR"'))


def quote(text: str) -> bytes:
    """A string as JSON."""
    return _encoder.encode(text)

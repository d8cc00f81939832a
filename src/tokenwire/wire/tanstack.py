"""TanStack AI's ``useChat``, both generations (docs/wires/tanstack.md).

They differ in more than names (2.9): each gets its own dialect of the same events. ``tanstack`` is the newest
client, which resumes; ``tanstack-legacy`` is that of the 0.10.0 era, which does not and would choke on offsets in
NDJSON.
"""

from collections.abc import Sequence

import msgspec

from .. import events
from ..errors import ByokMissing, Code, Failure
from .base import Framing, Translate
from .history import conversation
from .request import ChatRequest, Envelope, read_id, read_options, read_rows, top_level

_TEXT = b'{"type":"TEXT_MESSAGE_CONTENT",'
_REWORDED = (
    b'{"type":"RUN_FINISHED"',
    b'{"type":"RUN_ERROR"',
    b'{"type":"REASONING_START"',
    b'{"type":"TOOL_CALL_START"',
)
"""What is logged in other words than the newest client has for it."""
_json = msgspec.json.Encoder()


class Tanstack:
    """The newest client: AG-UI with its own ids, offsets on every event, reconnect and join."""

    name = "tanstack"
    returns = True
    repeats_terminal = True

    def parse(self, envelope: Envelope, *, max_messages: int) -> ChatRequest:
        """A ``RunAgentInput`` (1.3), read more laxly than TanStack's own parser does."""
        rows = read_rows(envelope, max_messages)
        return ChatRequest(
            messages=conversation(rows),
            options=read_options(top_level(envelope), envelope.data, envelope.forwarded_props),
            thread_id=read_id(envelope.thread_id, "threadId"),
            run_id=read_id(envelope.run_id, "runId"),
        )

    def numbered(self, framing: Framing) -> bool:  # noqa: ARG002
        """``id:`` lines on SSE, envelopes on NDJSON (5.1)."""
        return True

    def translator(self, after: int) -> Translate:  # noqa: ARG002
        """See :func:`translate_new`."""
        return translate_new

    def refusal(self, failure: Failure) -> tuple[str, bytes]:
        """JSON. The hook shows the status line only (3.4); the body is for whoever looks at the network."""
        return _json_refusal(failure)


class TanstackLegacy:
    """The 0.10.0 client: UI messages in, no ids, errors and reasoning in its own shapes."""

    name = "tanstack-legacy"
    returns = False
    repeats_terminal = False

    def parse(self, envelope: Envelope, *, max_messages: int) -> ChatRequest:
        """``{messages, data, …}`` (1.2). The client has no thread or run id of its own."""
        rows = read_rows(envelope, max_messages)
        return ChatRequest(
            messages=conversation(rows),
            options=read_options(top_level(envelope), envelope.data, envelope.forwarded_props),
        )

    def numbered(self, framing: Framing) -> bool:  # noqa: ARG002
        """Never: one console warning per ``id:`` line, and nothing shown at all from NDJSON envelopes (2.9)."""
        return False

    def translator(self, after: int) -> Translate:
        """See :class:`LegacyTranslator`."""
        return LegacyTranslator(begun=after > 0)

    def refusal(self, failure: Failure) -> tuple[str, bytes]:
        """As for the newest client."""
        return _json_refusal(failure)


def translate_new(payload: bytes) -> Sequence[bytes]:
    """The newest dialect's event: the logged one, but for ends and the starts of reasoning and of tool calls."""
    if payload.startswith(_TEXT) or not payload.startswith(_REWORDED):
        return (payload,)
    return (_reworded(events.decode(payload)),)


class LegacyTranslator:
    """The legacy dialect's events for one response.

    This client stays busy for ever when an answer ends without anything visible (2.2), so an empty answer is told as
    the error it is. Reasoning and the results of tools are told twice, in the words of both generations (2.3, 2.4),
    and signatures too, of which this one knows nothing: a newest client behind a hand-written adapter sends no run id,
    and is taken for a legacy one.
    """

    def __init__(self, *, begun: bool) -> None:
        # what came before is not known here, and calling an answer empty that is not would be worse
        self._visible = begun
        self._tools: dict[str, str] = {}

    def __call__(self, payload: bytes) -> Sequence[bytes]:
        """The events for a logged one."""
        if payload.startswith(_TEXT):
            self._visible = self._visible or not _is_blank(payload)
            return (payload,)
        event = events.decode(payload)
        match event:
            case events.RunFinished() if not self._visible and event.finish_reason != "cancelled":
                empty = Failure(Code.empty_answer)
                return (_reworded(events.RunError(empty.message, empty.code, event.thread_id, event.run_id)),)
            case events.ReasoningMessageContent():
                self._visible = True
                step = {"stepId": event.message_id, "stepName": event.message_id, "delta": event.delta}
                return (payload, _json.encode({"type": "STEP_FINISHED", **step}))
            case events.ToolCallStart():
                self._visible = True
                self._tools[event.tool_call_id] = event.tool_call_name
            case events.ToolCallResult():
                return (payload, self._ended_with_result(event))
        return (_reworded(event),) if payload.startswith(_REWORDED) else (payload,)

    def _ended_with_result(self, event: events.ToolCallResult) -> bytes:
        """A second end of the call, which is where this client looks for what it gave (2.4)."""
        name = self._tools.get(event.tool_call_id, "")
        told = {"toolCallId": event.tool_call_id, "toolName": name, "result": event.content}
        return _json.encode({"type": "TOOL_CALL_END", **told})


def _reworded(event: events.Event) -> bytes:
    """An event in a form that both generations understand."""
    match event:
        case events.RunError():
            error = {"message": event.message, "code": event.code}
            return _json.encode({**msgspec.to_builtins(event), "error": error})
        case events.RunFinished(finish_reason="cancelled" | "tool_calls"):
            # anything but "stop" makes the legacy client ask again after a tool result, and the newest one wait for
            # somebody to run the tools: for ever, over WebSocket (2.1)
            return events.encode(msgspec.structs.replace(event, finish_reason="stop"))
        case events.ReasoningStart():
            # a thinking part of its own (2.3)
            return _json.encode({"type": "STEP_STARTED", "stepId": event.message_id, "stepName": event.message_id})
        case events.ToolCallStart():
            return _json.encode({**msgspec.to_builtins(event), "toolName": event.tool_call_name})
        case _:
            return events.encode(event)


def _is_blank(payload: bytes) -> bool:
    event = events.decode(payload)
    return isinstance(event, events.TextMessageContent) and not event.delta.strip()


def _json_refusal(failure: Failure) -> tuple[str, bytes]:
    error = {"code": failure.code, "message": failure.message}
    if isinstance(failure, ByokMissing):  # of all refusals the one whose body the newest client reads
        error |= {"type": failure.code, "provider": failure.provider}
    return "application/json", _json.encode({"error": error})


TANSTACK = Tanstack()
TANSTACK_LEGACY = TanstackLegacy()

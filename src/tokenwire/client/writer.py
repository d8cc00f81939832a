"""How what streams becomes messages: text, tool calls, thinking and structured output, each in its place."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from .errors import RunFailed
from .messages import Role, UIMessage, new_id, parsed
from .partial_json import parse_partial
from .parts import StructuredOutputPart, TextPart
from .response import OpenCall, OpenMessage, Response
from .strategies import ChunkStrategy, ImmediateStrategy
from .transcript import Transcript


class ProcessorEvents(Protocol):
    """Whom a processor tells what has come of an event."""

    def messages_changed(self) -> None:
        """``processor.messages`` is new."""

    def stream_started(self) -> None:
        """The answer has its first bubble."""

    def stream_ended(self, message: UIMessage) -> None:
        """The answer is over; ``message`` is its last."""

    def stream_failed(self, error: RunFailed) -> None:
        """The run says it failed."""

    def tool_called(self, call_id: str, name: str, input: Any) -> None:  # noqa: A002
        """A tool of the client shall run."""

    def custom_event(self, name: str, value: Any) -> None:
        """An event of the application's own."""


class MessageWriter:
    """The conversation, and the response that is being written to it."""

    # Whether events that come after the end of an answer still belong to it.
    _late = True

    def __init__(
        self, events: ProcessorEvents, messages: Iterable[UIMessage] = (), strategy: ChunkStrategy | None = None
    ) -> None:
        self._events = events
        self._strategy = strategy or ImmediateStrategy()
        self.transcript = Transcript(messages)
        self.prepare()

    @property
    def finish_reason(self) -> str | None:
        """Why the last run ended, as its ``RUN_FINISHED`` says."""
        return self._response.finish_reason

    @property
    def messages(self) -> list[UIMessage]:
        """The conversation; the list is the caller's."""
        return list(self.transcript.messages)

    def prepare(self) -> None:
        """A new response begins: forgets the state of the last one, keeps the messages."""
        self._response = Response()
        self._strategy.reset()

    def finish(self) -> None:
        """The response is over: closes open calls, shows held text, tells the end once, drops a blank answer."""
        response, last = self._response, None
        for message_id in list(response.active):
            state = response.open.get(message_id)
            if state is None:
                continue
            self._complete_calls(message_id)
            if state.segment != state.shown:
                self._show_text(message_id, state)
            state.complete = True
            message = self.transcript.find(message_id)
            if message is not None and message.role == "assistant":
                last = message
        for message_id in list(response.structured):
            self._fail_structured(message_id, "Stream ended without structured-output.complete")
        response.active.clear()
        if last is None:
            return
        if not response.failed and _is_blank(last):
            self.transcript.remove(last.id)
            self._changed()
        elif not response.end_told:
            response.end_told = self._late
            self._events.stream_ended(last)

    def _changed(self) -> None:
        self._events.messages_changed()

    def _ensure(self, wanted: str | None = None) -> tuple[str, OpenMessage]:
        """The message an event belongs to; one is made up where the stream has not begun any."""
        response = self._response
        for message_id in (wanted, response.answer(self._late)):
            if message_id and message_id in response.open:
                return message_id, response.reopen(message_id) if self._late else response.open[message_id]
        known = self.transcript.find(wanted) if wanted else None
        if known is not None:
            state = response.begin(known.id, known.role)
            if known.parts and isinstance(known.parts[-1], TextPart):
                state.segment = state.shown = known.parts[-1].content
            return known.id, state
        message_id = response.made_up = wanted or new_id("msg")
        state = self._add_bubble(message_id, "assistant")
        self._events.stream_started()
        self._changed()
        return message_id, state

    def _add_bubble(self, message_id: str, role: Role) -> OpenMessage:
        self.transcript.append(UIMessage(id=message_id, role=role, parts=(), created_at=datetime.now(UTC)))
        return self._response.begin(message_id, role)

    def _add_metadata(self, message_id: str, metadata: Any) -> None:
        message = self.transcript.find(message_id)
        if message is None or not isinstance(metadata, Mapping):
            return
        news = {**metadata}
        if isinstance(news.get("tanstack"), Mapping):
            tanstack = {key: value for key, value in news["tanstack"].items() if key not in ("content", "args")}
            before = tanstack_of(message.metadata)
            news["tanstack"] = {**before, **tanstack}
        self.transcript.change(message_id, metadata={**(message.metadata or {}), **news})
        created = UIMessage.from_dict({"role": "user", "parts": [], "metadata": metadata}).created_at
        if created is not None:
            self.transcript.change(message_id, created_at=created)
        self._changed()

    def _add_text(self, message_id: str, state: OpenMessage, text: str, delta: str) -> None:
        state.segment = text
        if self._strategy.should_emit(delta, text) and text != state.shown:
            self._show_text(message_id, state)

    def _show_text(self, message_id: str, state: OpenMessage) -> None:
        state.shown = state.segment
        self.transcript.set_text(message_id, state.segment)
        self._changed()

    def _new_segment(self, message_id: str, state: OpenMessage) -> None:
        """Text after a tool call is a part of its own."""
        if state.segment != state.shown:
            self._show_text(message_id, state)
        state.segment = state.shown = ""
        state.after_calls = False

    def _show_call(self, message_id: str, call: OpenCall, input: Any = UNSET) -> None:  # noqa: A002
        self.transcript.set_call(
            message_id,
            call.id,
            name=call.name,
            arguments=call.arguments,
            state=call.state,
            input=input,
            metadata=call.metadata,
        )
        self._changed()

    def _complete_calls(self, message_id: str) -> None:
        state = self._response.open.get(message_id)
        for call in state.calls.values() if state is not None else ():
            if call.state != "input-complete":
                self._complete_call(message_id, call)

    def _complete_call(self, message_id: str, call: OpenCall) -> None:
        call.state = "input-complete"
        shown = self.transcript.call(call.id)
        if shown is None or shown.state not in ("error", "approval-requested", "approval-responded"):
            self._show_call(message_id, call, parsed(call.arguments))

    def _sign(self, message_id: str, state: OpenMessage, step: str | None, signature: str) -> None:
        state.signatures[step] = signature
        state.steps.setdefault(step, "")
        self._show_thinking(message_id, state, step)

    def _sign_call(self, call_id: str, signature: str) -> None:
        shown = self.transcript.call(call_id)
        if shown is not None:
            metadata = {
                **(shown.metadata if isinstance(shown.metadata, Mapping) else {}),
                "thoughtSignature": signature,
            }
            self.transcript.change_call(call_id, metadata=metadata)
            for state in self._response.open.values():
                if call_id in state.calls:
                    state.calls[call_id].metadata = metadata
        self._changed()

    def _show_thinking(self, message_id: str, state: OpenMessage, step: str | None) -> None:
        self.transcript.set_thinking(message_id, step, state.steps[step], state.signatures.get(step))
        self._changed()

    def _structured_part(self, message_id: str) -> StructuredOutputPart | None:
        message = self.transcript.find(message_id)
        parts = message.parts if message is not None else ()
        return next((part for part in parts if isinstance(part, StructuredOutputPart)), None)

    def _put_structured(self, message_id: str, part: StructuredOutputPart) -> None:
        self.transcript.put(message_id, part, lambda old: isinstance(old, StructuredOutputPart))
        self._changed()

    def _add_structured(self, message_id: str, delta: str) -> None:
        old = self._structured_part(message_id) or StructuredOutputPart(status="streaming", raw="")
        raw = old.raw + delta
        # What does not parse yet shows what parsed last, rather than nothing for a moment.
        partial = parse_partial(raw)
        shown = old.partial if partial in (UNSET, None) else partial
        self._put_structured(
            message_id, StructuredOutputPart(status="streaming", raw=raw, partial=shown, reasoning=old.reasoning)
        )

    def _complete_structured(self, value: Mapping[str, Any]) -> None:
        message_id, _ = self._ensure(value.get("messageId"))
        old, data = self._structured_part(message_id), value.get("object", UNSET)
        raw = value.get("raw") or (old.raw if old is not None else "")
        if not raw and data is not UNSET:
            raw = msgspec.json.encode(data).decode()
        self._response.structured.pop(message_id, None)
        self._put_structured(
            message_id,
            StructuredOutputPart(status="complete", raw=raw, data=data, partial=data, reasoning=value.get("reasoning")),
        )

    def _fail_structured(self, message_id: str, why: str) -> None:
        self._response.structured.pop(message_id, None)
        old = self._structured_part(message_id) or StructuredOutputPart(status="streaming", raw="")
        if old.status != "complete":
            self._put_structured(message_id, replace(old, status="error", error_message=why))


def _is_blank(message: UIMessage) -> bool:
    return bool(message.parts) and all(
        isinstance(part, TextPart) and not part.content.strip() for part in message.parts
    )


def tanstack_of(metadata: Any) -> Mapping[str, Any]:
    """What TanStack keeps in AG-UI's open ``metadata``."""
    inner = metadata.get("tanstack") if isinstance(metadata, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}

"""From events to messages, as the newer client understands them (docs/wires/tanstack.md, *Events the client consumes*
and *Stream processor and chunk strategies*)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from ..wire.reading import Chunk
from .errors import RunFailed
from .messages import Role, UIMessage, new_id, parsed
from .parts import part_from_dict
from .response import OpenCall
from .rows import result_content
from .snapshot import error_of, messages_of_snapshot
from .strategies import ChunkStrategy
from .writer import MessageWriter, ProcessorEvents, tanstack_of


class StreamProcessor(MessageWriter):
    """Holds the conversation and applies each event of a stream to it.

    It trusts nobody: unknown events, unknown fields and events for what never began are no error.
    """

    def __init__(
        self, events: ProcessorEvents, messages: Iterable[UIMessage] = (), strategy: ChunkStrategy | None = None
    ) -> None:
        super().__init__(events, messages, strategy)
        self._handlers = self._handle_table()

    def set_messages(self, messages: Iterable[UIMessage]) -> None:
        """Replaces the conversation."""
        self.transcript.messages = list(messages)
        self._changed()

    def add(self, message: UIMessage) -> None:
        """Appends a message that did not come from the stream."""
        self.transcript.append(message)
        self._changed()

    def cut_after(self, index: int) -> None:
        """Drops all messages after ``index``, and what this response knows of them."""
        self.transcript.messages = self.transcript.messages[: index + 1]
        self._response.keep({message.id for message in self.transcript.messages})
        self._changed()

    def clear(self) -> None:
        """Drops all messages."""
        self.transcript.messages = []
        self.prepare()
        self._changed()

    def add_tool_result(self, call_id: str, output: Any, error: str | None = None) -> bool:
        """What a client's tool gave: on the call, and as a result for the next request. False for an unknown call."""
        owner = self.transcript.owner(call_id)
        if owner is None:
            return False
        self.transcript.change_call(
            call_id, output={"error": error} if error else output, state=self._state_with_output(bool(error))
        )
        self.transcript.set_result(owner.id, call_id, self._result_content(output), error, failed=bool(error))
        self._changed()
        return True

    def answer_approval(self, approval_id: str, approved: bool) -> None:
        """What the user decided about a call."""
        self.transcript.answer_approval(approval_id, approved)
        self._changed()

    def process(self, chunk: Chunk) -> None:
        """Applies one event."""
        handler = self._handlers.get(chunk.get("type", ""))
        if handler is not None:
            handler(self._restored(chunk))

    def _handle_table(self) -> Mapping[str, Callable[[Chunk], None]]:
        return {
            "RUN_STARTED": self._on_run_started,
            "RUN_FINISHED": self._on_run_finished,
            "RUN_ERROR": self._on_run_error,
            "TEXT_MESSAGE_START": self._on_text_start,
            "TEXT_MESSAGE_CONTENT": self._on_text_content,
            "TEXT_MESSAGE_END": self._on_text_end,
            "TOOL_CALL_START": self._on_call_start,
            "TOOL_CALL_ARGS": self._on_call_args,
            "TOOL_CALL_END": self._on_call_end,
            "TOOL_CALL_RESULT": self._on_call_result,
            "STEP_STARTED": self._on_step_started,
            "STEP_FINISHED": self._on_step_finished,
            "REASONING_MESSAGE_CONTENT": self._on_reasoning,
            "REASONING_ENCRYPTED_VALUE": self._on_signature,
            "MESSAGES_SNAPSHOT": self._on_snapshot,
            "CUSTOM": self._on_custom,
        }

    def _restored(self, chunk: Chunk) -> Chunk:
        # A server strict about AG-UI's fields puts the others under metadata.tanstack.
        return {**tanstack_of(chunk.get("metadata")), **chunk}

    def _state_with_output(self, failed: bool) -> Literal["complete", "error", "input-complete"]:
        return "error" if failed else "complete"

    def _result_content(self, output: Any) -> Any:
        return result_content(output)

    def _on_text_start(self, chunk: Chunk) -> None:
        response, message_id = self._response, str(chunk.get("messageId"))
        role: Role = chunk["role"] if chunk.get("role") in ("user", "system") else "assistant"
        made_up, response.made_up = response.made_up, None
        if made_up is not None and made_up != message_id:
            self.transcript.change(made_up, id=message_id)
            response.rename(made_up, message_id)
        if self.transcript.find(message_id) is None:
            self._add_bubble(message_id, role)
            self._add_metadata(message_id, chunk.get("metadata"))
            self._events.stream_started()
        else:
            state = response.open.get(message_id)
            if state is None:
                response.begin(message_id, role)
            elif state.after_calls:
                self._new_segment(message_id, state)
            response.active[message_id] = None
            self._add_metadata(message_id, chunk.get("metadata"))
        self._changed()

    def _on_text_content(self, chunk: Chunk) -> None:
        message_id, state = self._ensure(chunk.get("messageId"))
        self._add_metadata(message_id, chunk.get("metadata"))
        delta = chunk.get("delta") or ""
        if message_id in self._response.structured:
            if delta:
                self._add_structured(message_id, delta)
            return
        if state.after_calls and state.segment:
            self._new_segment(message_id, state)
        state.after_calls = False
        self._add_text(message_id, state, state.segment + delta, delta)

    def _on_text_end(self, chunk: Chunk) -> None:
        message_id = str(chunk.get("messageId"))
        self._add_metadata(message_id, chunk.get("metadata"))
        state = self._response.open.get(message_id)
        if state is not None and not state.complete and state.segment != state.shown:
            self._show_text(message_id, state)

    def _on_call_start(self, chunk: Chunk) -> None:
        message_id, state = self._ensure(chunk.get("parentMessageId"))
        state.after_calls = True
        call_id = str(chunk.get("toolCallId"))
        if call_id in state.calls:
            return
        call = OpenCall(call_id, self._tool_name(chunk), metadata=self._call_metadata(chunk))
        state.calls[call_id] = call
        self._response.owners[call_id] = message_id
        self._show_call(message_id, call)

    def _tool_name(self, chunk: Chunk) -> str:
        return str(chunk.get("toolCallName"))

    def _call_metadata(self, chunk: Chunk) -> Any:
        return chunk.get("metadata", UNSET)

    def _on_call_args(self, chunk: Chunk) -> None:
        found = self._response.call(str(chunk.get("toolCallId")))
        if found is None:
            return
        message_id, call = found
        delta = chunk.get("delta") or ""
        call.arguments += delta
        if delta and call.state == "awaiting-input":
            call.state = "input-streaming"
        self._show_call(message_id, call)

    def _on_call_end(self, chunk: Chunk) -> None:
        found = self._response.call(str(chunk.get("toolCallId")))
        if found is None or found[1].state == "input-complete":
            return
        message_id, call = found
        given = chunk.get("input", UNSET)
        if given is not UNSET and not call.arguments:
            call.arguments = msgspec.json.encode(given).decode()
        self._complete_call(message_id, call)
        if given is not UNSET:
            self._show_call(message_id, call, given)

    def _on_call_result(self, chunk: Chunk) -> None:
        call_id = str(chunk.get("toolCallId"))
        owner = self.transcript.owner(call_id)
        message_id = self._response.owners.get(call_id) or (owner.id if owner is not None else None)
        if message_id is None:
            return
        content = chunk.get("content")
        output = parsed_or_text(content)
        failed = chunk.get("state") == "output-error"
        self.transcript.change_call(call_id, output=output, state="error" if failed else "complete")
        self.transcript.set_result(message_id, call_id, content, error_of(output) if failed else None, failed)
        self._changed()

    def _on_step_started(self, chunk: Chunk) -> None:
        step = chunk.get("stepName") or new_id("msg")
        current = self._response.answer(self._late)
        if current is None:
            self._response.pending_step = step
            return
        state = self._response.open[current]
        state.step = step
        state.steps.setdefault(step, "")
        self._response.pending_step = None

    def _on_step_finished(self, chunk: Chunk) -> None:
        if not chunk.get("signature"):
            return
        message_id, state = self._ensure()
        step = state.step or chunk.get("stepId")
        if step in state.steps:
            self._sign(message_id, state, step, chunk["signature"])

    def _on_reasoning(self, chunk: Chunk) -> None:
        message_id, state = self._ensure()
        if self._response.pending_step is not None:
            state.step, self._response.pending_step = self._response.pending_step, None
        if state.step is None:
            state.step = chunk.get("messageId")
        state.steps[state.step] = state.steps.get(state.step, "") + (chunk.get("delta") or "")
        self._show_thinking(message_id, state, state.step)

    def _on_signature(self, chunk: Chunk) -> None:
        value, entity = chunk.get("encryptedValue"), str(chunk.get("entityId"))
        if not isinstance(value, str) or not value:
            return
        if chunk.get("subtype") == "tool-call":
            self._sign_call(entity, value)
        else:
            message_id, state = self._ensure()
            self._sign(message_id, state, state.step or entity, value)

    def _on_run_started(self, chunk: Chunk) -> None:
        self._response.runs.add(chunk.get("runId"))

    def _on_run_finished(self, chunk: Chunk) -> None:
        response, outcome = self._response, chunk.get("outcome")
        response.finish_reason = chunk.get("finishReason")
        response.runs.discard(chunk.get("runId"))
        paused = isinstance(outcome, Mapping) and outcome.get("type") == "interrupt"
        if isinstance(outcome, Mapping) and paused:
            for interrupt in outcome.get("interrupts") or ():
                self._on_interrupt(interrupt)
        if response.runs:
            return
        for message_id in list(response.active):
            self._complete_calls(message_id)
        # A model's turn that ends with calls of the server's tools: the answer goes on.
        if response.finish_reason != "tool_calls" or paused:
            self.finish()

    def _on_interrupt(self, interrupt: Mapping[str, Any]) -> None:
        call_id = interrupt.get("toolCallId")
        if not call_id:
            return
        metadata = interrupt.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        kind, reason = metadata.get("kind"), interrupt.get("reason")
        if kind == "approval" or reason == "approval_required":
            self.transcript.request_approval(call_id, str(interrupt.get("id")))
            self._changed()
        elif kind == "client_tool" or reason == "client_tool_input":
            call = self.transcript.call(call_id)
            name = metadata.get("toolName") or (call.name if call is not None else "")
            self._events.tool_called(call_id, str(name), metadata.get("input", {}))

    def _on_run_error(self, chunk: Chunk) -> None:
        response = self._response
        response.failed = True
        if chunk.get("runId"):
            response.runs.discard(chunk["runId"])
        else:
            response.runs.clear()
        message_id, _ = self._ensure()
        error = self._error(chunk)
        if message_id in response.structured:
            self._fail_structured(message_id, str(error))
        self._events.stream_failed(error)

    def _error(self, chunk: Chunk) -> RunFailed:
        old = chunk["error"] if isinstance(chunk.get("error"), Mapping) else {}
        message = chunk.get("message") or old.get("message") or "An error occurred"
        return RunFailed(str(message), chunk.get("code") or old.get("code"))

    def _on_snapshot(self, chunk: Chunk) -> None:
        self.prepare()
        self.transcript.messages = messages_of_snapshot(chunk.get("messages") or (), self.transcript)
        self._changed()

    def _on_custom(self, chunk: Chunk) -> None:
        name, value = str(chunk.get("name")), chunk.get("value")
        if isinstance(value, Mapping):
            if name == "tool-input-available":
                self._events.tool_called(str(value.get("toolCallId")), str(value.get("toolName")), value.get("input"))
                return
            if name == "approval-requested":
                approval = value.get("approval")
                approval_id = approval.get("id") if isinstance(approval, Mapping) else None
                self.transcript.request_approval(str(value.get("toolCallId")), str(approval_id))
                self._changed()
                return
            if self._on_part(name, value):
                return
        self._events.custom_event(name, value)

    def _on_part(self, name: str, value: Mapping[str, Any]) -> bool:
        """Custom events that are parts of a message; whether that is all they are."""
        if name == "structured-output.start":
            message_id, _ = self._ensure(value.get("messageId"))
            self._response.structured[message_id] = None
            return True
        if name == "structured-output.complete":
            self._complete_structured(value)
        elif name == "ui-resource":
            owner = self._response.owners.get(str(value.get("toolCallId"))) or self._response.answer(self._late)
            part = part_from_dict({**value, "type": "ui-resource"})
            if owner is not None:
                self.transcript.put(owner, part)
                self._changed()
            return True
        return False


def parsed_or_text(content: Any) -> Any:
    """What a tool's result says: JSON where it is JSON, else the text."""
    value = parsed(content) if isinstance(content, str) else UNSET
    return content if value is UNSET else value

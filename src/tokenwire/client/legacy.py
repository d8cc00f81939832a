"""From events to messages, as the older client understands them (docs/wires/tanstack.md, *LEGACY and NEW compared*)."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from ..wire.reading import Chunk
from .messages import UIMessage
from .processor import StreamProcessor, parsed_or_text
from .response import OpenCall


class LegacyProcessor(StreamProcessor):
    """Reads ``toolName``, ``STEP_FINISHED``, the ``result`` of ``TOOL_CALL_END`` and ``error.message``; leaves aside
    what came later: interrupts, signatures, structured output."""

    _late = False

    def _handle_table(self) -> Mapping[str, Callable[[Chunk], None]]:
        known = super()._handle_table()
        later = ("TOOL_CALL_RESULT", "STEP_STARTED", "REASONING_MESSAGE_CONTENT", "REASONING_ENCRYPTED_VALUE")
        return {name: handler for name, handler in known.items() if name not in later}

    def _restored(self, chunk: Chunk) -> Chunk:
        return chunk

    def _state_with_output(self, failed: bool) -> Literal["complete", "error", "input-complete"]:  # noqa: ARG002
        return "input-complete"

    def _result_content(self, output: Any) -> Any:
        return output if isinstance(output, str) else msgspec.json.encode(output).decode()

    def _add_metadata(self, message_id: str, metadata: Any) -> None:
        """Messages have none."""

    def _on_text_content(self, chunk: Chunk) -> None:
        message_id, state = self._ensure(chunk.get("messageId"))
        self._complete_calls(message_id)
        delta, whole = chunk.get("delta") or "", chunk.get("content")
        if state.after_calls and state.segment and isinstance(whole, str) and not _continues(whole, state.segment):
            self._new_segment(message_id, state)
        self._add_text(message_id, state, _longer(state.segment, delta, whole), delta or whole or "")

    def _on_text_end(self, chunk: Chunk) -> None:
        super()._on_text_end(chunk)
        state = self._response.open.get(str(chunk.get("messageId")))
        if state is not None and not state.complete:
            self._complete_calls(str(chunk.get("messageId")))

    def _tool_name(self, chunk: Chunk) -> str:
        return str(chunk.get("toolName"))

    def _call_metadata(self, chunk: Chunk) -> Any:  # noqa: ARG002
        return UNSET

    def _complete_call(self, message_id: str, call: OpenCall) -> None:
        call.state = "input-complete"
        self._show_call(message_id, call)

    def _on_call_end(self, chunk: Chunk) -> None:
        call_id = str(chunk.get("toolCallId"))
        found = self._response.call(call_id)
        if found is None:
            return
        message_id, call = found
        if call.state != "input-complete":
            if "input" in chunk and not call.arguments:
                call.arguments = msgspec.json.encode(chunk["input"]).decode()
            self._complete_call(message_id, call)
        if chunk.get("result"):
            self.transcript.change_call(call_id, output=parsed_or_text(chunk["result"]), state="input-complete")
            self.transcript.set_result(message_id, call_id, chunk["result"], None, failed=False)
            self._changed()

    def _on_step_finished(self, chunk: Chunk) -> None:
        message_id, state = self._ensure()
        state.steps[None] = _longer(state.steps.get(None, ""), chunk.get("delta") or "", chunk.get("content"))
        self._show_thinking(message_id, state, None)

    def _on_run_finished(self, chunk: Chunk) -> None:
        self._response.finish_reason = chunk.get("finishReason")
        self._response.runs.discard(chunk.get("runId"))
        if not self._response.runs:
            self.finish()

    def _on_snapshot(self, chunk: Chunk) -> None:
        self.prepare()
        self.transcript.messages = [UIMessage.from_dict(message) for message in chunk.get("messages") or ()]
        self._changed()

    def _on_part(self, name: str, value: Mapping[str, Any]) -> bool:  # noqa: ARG002
        return False


def _continues(whole: str, segment: str) -> bool:
    return len(whole) >= len(segment) and whole.startswith(segment)


def _longer(text: str, delta: str, whole: Any) -> str:
    """``text`` and what comes to it: a delta, or where there is none the whole so far."""
    if delta or not isinstance(whole, str) or not whole:
        return text + delta
    if whole.startswith(text):
        return whole
    return text if text.startswith(whole) else text + whole

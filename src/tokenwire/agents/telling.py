"""From what an agent says, in whatever order, to events that are legal."""

import re
from collections.abc import Container

from .. import events
from ..errors import Code, Failure
from ..messages import ToolCall
from ..narration import Narration
from .call_ids import CallIds
from .pieces import Finish, Piece, Reasoning, ToolResult

_TOOL_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Telling:
    """One agent's answer as it is told.

    :param tools: names of those that it may call; ``None`` for all.
    """

    def __init__(self, message_id: str, tools: Container[str] | None = None) -> None:
        self.finish = Finish()
        self._tools = tools
        self._narration = Narration(message_id)
        self._call_ids = CallIds()
        self._told: list[events.Event] = []

    def hear(self, piece: Piece) -> None:
        """More of the answer.

        Raises :class:`TypeError` and :class:`ValueError` for what is no part of any answer, and :class:`Failure` for a
        ``RUN_ERROR`` or the call of a tool that it may not use.
        """
        if isinstance(piece, str):
            self._narration.text(piece)
        else:
            self._hear_event(piece)

    def take(self) -> list[events.Event]:
        """What there is to tell since the last time."""
        told, self._told = self._told, []
        return told + self._narration.take()

    def close(self) -> list[events.Event]:
        """The same, and the ends of all that is open."""
        return self._told + self._narration.close()

    def _hear_event(self, piece: Piece) -> None:
        narration = self._narration
        match piece:
            case events.TextMessageContent():
                narration.text(piece.delta)
            case Reasoning(text, signature):
                narration.reasoning(text)
                if signature is not None:
                    narration.sign(signature)
            case events.ReasoningMessageContent():
                narration.reasoning(piece.delta)
            case events.ReasoningEncryptedValue(subtype="message"):
                narration.sign(piece.encrypted_value)
            case events.ReasoningEncryptedValue(subtype="tool-call") if call_id := self._call_ids.find(piece.entity_id):
                self._told += [
                    *narration.take(),
                    events.ReasoningEncryptedValue("tool-call", call_id, piece.encrypted_value),
                ]
            case events.ReasoningEnd():
                narration.end_reasoning()
            case ToolCall():
                call_id = self._begin_call(piece.id, piece.name, piece.signature)
                narration.arguments(call_id, piece.arguments)
                narration.end_call(call_id)
            case events.ToolCallStart():
                self._begin_call(piece.tool_call_id, piece.tool_call_name)
            case events.ToolCallArgs():
                narration.arguments(self._call_ids.find(piece.tool_call_id) or "", piece.delta)
            case events.ToolCallEnd():
                narration.end_call(self._call_ids.find(piece.tool_call_id) or "")
            case ToolResult(call_id, content):
                self._tell_result("", call_id, content)
            case events.ToolCallResult():
                self._tell_result(piece.message_id, piece.tool_call_id, piece.content)
            case events.TextMessageEnd():
                self._told += narration.close()  # what follows is another message
            case events.Custom():
                self._told += [*narration.take(), piece]
            case Finish():
                self.finish = piece
            case events.RunFinished():
                self.finish = Finish(piece.finish_reason, piece.usage, piece.model)
            case events.RunError():
                raise Failure(Code.agent_failed, piece.message)
            case (
                events.RunStarted()
                | events.TextMessageStart()
                | events.ReasoningStart()
                | events.ReasoningMessageStart()
                | events.ReasoningMessageEnd()
                | events.ReasoningEncryptedValue()
            ):
                pass  # told where it belongs
            case _:
                raise TypeError(f"an agent answers in text and events, not in {type(piece).__name__}")

    def _begin_call(self, call_id: str, name: str, signature: str | None = None) -> str:
        """A call under an id that is new in this answer."""
        if self._tools is not None and name not in self._tools:
            shown = name if _TOOL_NAME.fullmatch(name) else "that was called"  # a model may have made it up
            raise Failure(Code.refused_choice, f"This key may not use the tool {shown}.")
        told_id = self._call_ids.begin(call_id)
        self._narration.begin_call(told_id, name, signature)
        return told_id

    def _tell_result(self, message_id: str, call_id: str, content: str) -> None:
        """The result of a call, which may be one of an earlier answer that waited for it."""
        told_id = self._call_ids.find(call_id) or call_id
        self._narration.end_call(told_id)
        self._told += [
            *self._narration.take(),
            events.ToolCallResult(message_id or f"{told_id}-result", told_id, content),
        ]

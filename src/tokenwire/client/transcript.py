"""The messages of a chat, and the ways an event changes them.

Messages and parts are immutable: a change puts new ones in the place of the old.
"""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from .messages import UIMessage
from .parts import (
    Approval,
    Part,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolCallState,
    ToolResultPart,
)


class Transcript:
    """A list of messages; its methods name what happens to them."""

    def __init__(self, messages: Iterable[UIMessage] = ()) -> None:
        self.messages = list(messages)

    def find(self, message_id: str) -> UIMessage | None:
        """The message of that id."""
        return next((message for message in reversed(self.messages) if message.id == message_id), None)

    def append(self, message: UIMessage) -> None:
        """Adds ``message`` at the end."""
        self.messages.append(message)

    def remove(self, message_id: str) -> None:
        """Takes the message out."""
        self.messages = [message for message in self.messages if message.id != message_id]

    def change(self, message_id: str, **fields: Any) -> None:
        """Gives the message other ``fields``; one that is not there stays absent."""
        for index in range(len(self.messages) - 1, -1, -1):
            if self.messages[index].id == message_id:
                self.messages[index] = replace(self.messages[index], **fields)
                return

    def call(self, call_id: str) -> ToolCallPart | None:
        """The call of that id, wherever it is."""
        owner = self.owner(call_id)
        return None if owner is None else _call(owner, call_id)

    def owner(self, call_id: str) -> UIMessage | None:
        """The message that holds the call."""
        return next((message for message in self.messages if _call(message, call_id) is not None), None)

    def put(self, message_id: str, part: Part, instead_of: Callable[[Part], bool] | None = None) -> None:
        """Puts ``part`` where the first one stands that ``instead_of`` holds for, else at the end."""
        message = self.find(message_id)
        if message is None:
            return
        parts = list(message.parts)
        at = next((index for index, old in enumerate(parts) if instead_of is not None and instead_of(old)), None)
        if at is None:
            parts.append(part)
        else:
            parts[at] = part
        self.change(message_id, parts=tuple(parts))

    def set_text(self, message_id: str, text: str) -> None:
        """The last part says ``text`` if it is text; else text begins after it."""
        message = self.find(message_id)
        last = message.parts[-1] if message is not None and message.parts else None
        self.put(message_id, TextPart(content=text), lambda part: part is last and isinstance(part, TextPart))

    def set_thinking(self, message_id: str, step_id: str | None, text: str, signature: str | None = None) -> None:
        """What is thought in one step."""
        part = ThinkingPart(content=text, step_id=step_id, signature=signature or None)
        self.put(message_id, part, lambda old: isinstance(old, ThinkingPart) and old.step_id == step_id)

    def set_call(
        self,
        message_id: str,
        call_id: str,
        *,
        name: str,
        arguments: str,
        state: ToolCallState,
        input: Any = UNSET,  # noqa: A002
        metadata: Any = UNSET,
    ) -> None:
        """How far a call has come. What it got otherwise (an approval, an output …) stays."""
        message = self.find(message_id)
        old = _call(message, call_id) if message is not None else None
        part = ToolCallPart(
            id=call_id,
            name=name,
            arguments=arguments,
            state=state,
            approval=old.approval if old is not None else None,
            output=old.output if old is not None else UNSET,
            input=old.input if input in (UNSET, None) and old is not None else UNSET if input is None else input,
            metadata=old.metadata if metadata is UNSET and old is not None else metadata,
        )
        self.put(message_id, part, lambda part: part is old)

    def change_call(self, call_id: str, **fields: Any) -> None:
        """Gives a call other ``fields``; one that is not there stays absent."""
        owner = self.owner(call_id)
        old = _call(owner, call_id) if owner is not None else None
        if owner is not None and old is not None:
            self.put(owner.id, replace(old, **fields), lambda part: part is old)

    def set_result(self, message_id: str, call_id: str, content: Any, error: str | None, failed: bool) -> None:
        """What a call gave, for the next request to tell."""
        part = ToolResultPart(
            tool_call_id=call_id, content=content, state="error" if failed else "complete", error=error or None
        )
        self.put(message_id, part, lambda old: isinstance(old, ToolResultPart) and old.tool_call_id == call_id)

    def request_approval(self, call_id: str, approval_id: str) -> None:
        """The user is asked whether the call may run."""
        self.change_call(call_id, state="approval-requested", approval=Approval(id=approval_id, needs_approval=True))

    def answer_approval(self, approval_id: str, approved: bool) -> None:
        """The user has said so."""
        for message in self.messages:
            for part in message.parts:
                if isinstance(part, ToolCallPart) and part.approval is not None and part.approval.id == approval_id:
                    self.change_call(
                        part.id, state="approval-responded", approval=replace(part.approval, approved=approved)
                    )

    def answer_calls(self) -> list[ToolCallPart]:
        """The tool calls of the last answer."""
        return [part for part in self._answer_parts() if isinstance(part, ToolCallPart)]

    def tools_complete(self) -> bool:
        """Whether nothing in the last answer waits for a result; true also without calls."""
        answered = {part.tool_call_id for part in self._answer_parts() if isinstance(part, ToolResultPart)}
        return all(
            part.state in ("complete", "approval-responded")
            or (part.output is not UNSET and part.approval is None)
            or part.id in answered
            or part.provider_executed
            for part in self.answer_calls()
        )

    def ends_with_result(self) -> bool:
        """Whether the last thing said is a tool's result."""
        parts = self.messages[-1].parts if self.messages else ()
        return bool(parts) and isinstance(parts[-1], ToolResultPart)

    def _answer_parts(self) -> tuple[Part, ...]:
        last = next((message for message in reversed(self.messages) if message.role == "assistant"), None)
        return last.parts if last is not None else ()


def _call(message: UIMessage, call_id: str) -> ToolCallPart | None:
    return next((part for part in message.parts if isinstance(part, ToolCallPart) and part.id == call_id), None)

"""A snapshot of all messages, made whole with what the client knew before (docs/wires/tanstack.md, *Snapshots and
state*).

A snapshot in AG-UI's own rows tells thinking and tool results as rows of their own and leaves out how far a call has
come. Here they find back to the message they belong to.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from .messages import UIMessage
from .parts import Part, ThinkingPart, ToolCallPart, ToolResultPart, UIResourcePart
from .transcript import Transcript


def messages_of_snapshot(rows: Sequence[Mapping[str, Any]], before: Transcript) -> list[UIMessage]:
    """The messages of the ``rows``; ``before`` is what was shown until now."""
    messages = _with_results(_with_thinking([UIMessage.from_dict(row) for row in rows]), before)
    results = {
        part.tool_call_id: part for message in messages for part in message.parts if isinstance(part, ToolResultPart)
    }
    whole = []
    for message in messages:
        parts = tuple(
            _completed(part, before.call(part.id), results.get(part.id)) if isinstance(part, ToolCallPart) else part
            for part in message.parts
        )
        old = before.find(message.id)
        metadata = message.metadata if message.metadata is not None or old is None else old.metadata
        whole.append(replace(message, parts=parts, metadata=metadata))
    return whole


def _with_thinking(messages: Iterable[UIMessage]) -> list[UIMessage]:
    """Thinking goes to the answer it led to."""
    joined: list[UIMessage] = []
    pending: list[UIMessage] = []
    for message in messages:
        if message.role == "assistant" and message.parts and _all(message, ThinkingPart):
            pending.append(message)
            continue
        if message.role == "assistant" and pending and not _is_result(message):
            thought = tuple(part for each in pending for part in each.parts)
            joined.append(replace(message, parts=thought + message.parts))
        else:
            joined += [*pending, message]
        pending = []
    return joined + pending


def _with_results(messages: Sequence[UIMessage], before: Transcript) -> list[UIMessage]:
    """A tool's result goes to the message of its call; a call the snapshot left out comes back with it."""
    told = {part.id for message in messages for part in message.parts if isinstance(part, ToolCallPart)}
    joined: list[UIMessage] = []
    for message in messages:
        result = next((part for part in message.parts if isinstance(part, ToolResultPart)), None)
        at = _place_of(result, joined) if result is not None and _is_result(message) else None
        if result is None or at is None:
            joined.append(message)
            continue
        parts: list[Part] = list(joined[at].parts)
        known = before.call(result.tool_call_id)
        if result.tool_call_id not in told and known is not None:
            parts.append(known)
            told.add(result.tool_call_id)
        joined[at] = replace(joined[at], parts=(*parts, *message.parts))
    return joined


def _place_of(result: ToolResultPart, messages: Sequence[UIMessage]) -> int | None:
    answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
    holding = [
        index
        for index in answers
        if any(isinstance(part, ToolCallPart) and part.id == result.tool_call_id for part in messages[index].parts)
    ]
    possible = holding or [index for index in answers if not _is_result(messages[index])]
    return possible[-1] if possible else None


def _is_result(message: UIMessage) -> bool:
    results = sum(isinstance(part, ToolResultPart) for part in message.parts)
    return message.role == "assistant" and results == 1 and _all(message, ToolResultPart | UIResourcePart)


def _all(message: UIMessage, kind: Any) -> bool:
    return all(isinstance(part, kind) for part in message.parts)


def _completed(call: ToolCallPart, before: ToolCallPart | None, result: ToolResultPart | None) -> ToolCallPart:
    """The call with what was known of it, and with its result as output."""
    poorer = call.output is UNSET or call.state in ("input-complete", "input-streaming", "awaiting-input")
    if before is not None and poorer and (before.output is not UNSET or before.state in ("complete", "error")):
        call = replace(
            call,
            state=before.state,
            output=call.output if before.output is UNSET else before.output,
            approval=before.approval or call.approval,
            metadata=call.metadata if before.metadata is UNSET else before.metadata,
        )
    if result is None or call.output is not UNSET:
        return call
    output: Any = result.content
    if isinstance(output, str):
        try:
            output = msgspec.json.decode(output)
        except msgspec.DecodeError:
            output = result.content
    if result.state != "error":
        return replace(call, output=output, state="complete")
    return replace(call, output={"error": error_of(output)}, state="error")


def error_of(output: Any) -> str:
    """What a failed tool's output says of its failure."""
    if isinstance(output, Mapping) and isinstance(output.get("error"), str):
        return str(output["error"])
    return output if isinstance(output, str) else "Tool execution failed"

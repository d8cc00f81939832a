"""Short names for what clients send and for what providers take."""

from typing import Any

from tokenwire.messages import Message, Reasoning, Text, ToolCall, message

Row = dict[str, Any]

LOST = '{"error": "Tool call was not completed"}'
APPROVED = '{"approved":true,"pendingExecution":true,"message":"User approved this action"}'
DENIED = '{"approved":false,"message":"User denied this action"}'
URL = "https://example.org/a.png"


def user(content: Any) -> Row:
    return {"role": "user", "content": content}


def asks(*calls: Row, content: Any = None) -> Row:
    functions = [
        {"id": row["id"], "type": "function", "function": {"name": row["name"], "arguments": row["arguments"]}}
        | ({"encryptedValue": row["metadata"]["thoughtSignature"]} if "metadata" in row else {})
        for row in calls
    ]
    return {"role": "assistant", "content": content, "toolCalls": functions}


def answer(call_id: Any, content: Any = "42", **fields: Any) -> Row:
    return {"role": "tool", "toolCallId": call_id, "content": content, **fields}


def rendered(*parts: Any, role: str | None = "assistant", **fields: Any) -> Row:
    return {"role": role, "parts": list(parts), **fields}


def text(content: Any) -> Row:
    return {"type": "text", "content": content}


def call(call_id: Any, arguments: Any = "{}", name: Any = "f", **fields: Any) -> Row:
    return {"type": "tool-call", "id": call_id, "name": name, "arguments": arguments, **fields}


def result(call_id: Any, content: Any = "42", **fields: Any) -> Row:
    return {"type": "tool-result", "toolCallId": call_id, "content": content, **fields}


def thought(content: Any, signature: Any = None) -> Row:
    """A row of reasoning."""
    return {"role": "reasoning", "content": content} | ({"encryptedValue": signature} if signature is not None else {})


def thinking(content: Any, signature: Any = None) -> Row:
    """A rendered part of reasoning."""
    return {"type": "thinking", "content": content} | ({"signature": signature} if signature is not None else {})


def signed(signature: Any) -> Row:
    """What a rendered call has beside the rest."""
    return {"thoughtSignature": signature}


def media(kind: str, source: Any, **fields: Any) -> Row:
    return {"type": kind, "source": source, **fields}


def said(words: str, *calls: ToolCall) -> Message:
    return Message("assistant", (Text(words),) if words else (), calls)


def reasoned(*thoughts: Reasoning, said: str = "", calls: tuple[ToolCall, ...] = ()) -> Message:
    return Message("assistant", (*thoughts, *((Text(said),) if said else ())), calls)


def called(call_id: str, arguments: str = "{}", signature: str | None = None) -> ToolCall:
    return ToolCall(call_id, "f", arguments, signature)


def told(call_id: str, content: str = "42") -> Message:
    return Message("tool", (Text(content),), tool_call_id=call_id)


HI, HELLO = user("hi"), message("user", "hi")

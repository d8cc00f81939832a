"""Ollama's own chat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ..reply import Reply
from ..request import Request
from ..tool_call import ToolCall
from .base import FAILURE, MODEL, Ask, Event, Json, Wire, scripted_refusal, to_json

_CREATED_AT: Final = "2023-11-14T22:13:20Z"

_DURATIONS: Final = {
    "total_duration": 4_000_000,
    "load_duration": 1_000_000,
    "prompt_eval_duration": 1_000_000,
    "eval_duration": 2_000_000,
}


class OllamaChat(Wire):
    """`POST /api/chat`, which streams unless it is told not to."""

    path = "/api/chat"
    content_type = "application/x-ndjson"

    def ask(self, number: int, request: Request, body: Json) -> Ask:  # noqa: ARG002  # the body says it all
        return Ask(number, str(body.get("model", MODEL)), body.get("stream") is not False, body)

    def frame(self, reply: Reply, event: Event) -> str:
        return f"{to_json(event.data)}{reply.line_end}"

    def content(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        for delta in reply.reasoning:
            yield Event(_part(reply, ask, {"content": "", "thinking": delta}), deltas=1)
        for delta in reply.text:
            yield Event(_part(reply, ask, {"content": delta}), deltas=1)
        for call in reply.tool_calls:
            calls = [_call(call)]
            yield Event(_part(reply, ask, {"content": "", "tool_calls": calls}), deltas=len(call.arguments))

    def ending(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        if reply.finish_reason is not None:
            yield Event(_part(reply, ask, {"content": ""}) | _done(reply))

    def document(self, reply: Reply, ask: Ask) -> Json:
        message: dict[str, Any] = {"content": "".join(reply.text)}
        if reply.reasoning:
            message["thinking"] = "".join(reply.reasoning)
        if reply.tool_calls:
            message["tool_calls"] = [_call(call) for call in reply.tool_calls]
        return _part(reply, ask, message) | _done(reply)

    def refusal(self, status: int, message: str | None = None) -> Json:
        return {"error": message or scripted_refusal(status)}

    def error(self, reply: Reply) -> Json:
        return {"error": reply.error.get("message", FAILURE) if reply.error else FAILURE}


def _part(reply: Reply, ask: Ask, message: Json) -> dict[str, Any]:
    return {
        "model": reply.model or ask.model,
        "created_at": _CREATED_AT,
        "message": {"role": "assistant", **message},
        "done": False,
    }


def _call(call: ToolCall) -> Json:
    id_ = {} if call.id is None else {"id": call.id}
    return {**id_, "function": {"name": call.name, "arguments": call.value}}


def _done(reply: Reply) -> dict[str, Any]:
    """What the last part has beside its message."""
    done: dict[str, Any] = {"done": True, "done_reason": _reason(reply), **_DURATIONS}
    if reply.usage:
        done |= {"prompt_eval_count": reply.prompt_tokens, "eval_count": reply.deltas}
    return done


def _reason(reply: Reply) -> str | None:
    # Ollama filters nothing, and has no word for calls.
    return "stop" if reply.finish_reason in ("tool_calls", "content_filter") else reply.finish_reason

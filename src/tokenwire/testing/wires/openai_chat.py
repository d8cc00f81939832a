"""OpenAI's chat completions, which most other servers speak too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from ..reply import Reply
from ..tool_call import ToolCall
from .base import CREATED, FAILURE, Ask, Event, Json, Wire, scripted_refusal


class OpenAIChat(Wire):
    """`POST /v1/chat/completions`."""

    path = "/v1/chat/completions"

    def opening(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        yield Event(_chunk(reply, ask, {"role": "assistant", "content": ""}))

    def content(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        for delta in reply.reasoning:
            yield Event(_chunk(reply, ask, {reply.reasoning_field: delta}), deltas=1)
        for delta in reply.text:
            yield Event(_chunk(reply, ask, {"content": delta}), deltas=1)
        for index, call in enumerate(reply.tool_calls):
            begun = {
                "index": index,
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": ""},
            }
            yield Event(_chunk(reply, ask, {"tool_calls": [begun]}))
            for delta in call.arguments:
                more = {"index": index, "function": {"arguments": delta}}
                yield Event(_chunk(reply, ask, {"tool_calls": [more]}), deltas=1)

    def ending(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        if reply.finish_reason is not None:
            yield Event(_chunk(reply, ask, {}, reply.finish_reason))
        if reply.usage and _includes_usage(ask):
            yield Event(_envelope(reply, ask, "chat.completion.chunk", []) | {"usage": _usage(reply)})
        if reply.done:
            yield Event("[DONE]")

    def failure(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        yield from super().failure(reply, ask)
        if reply.done:
            yield Event("[DONE]")

    def document(self, reply: Reply, ask: Ask) -> Json:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(reply.text)}
        if reply.reasoning:
            message[reply.reasoning_field] = "".join(reply.reasoning)
        if reply.tool_calls:
            message["content"] = message["content"] or None
            message["tool_calls"] = [_call(call, call.json) for call in reply.tool_calls]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
        usage = {"usage": _usage(reply)} if reply.usage else {}
        return _envelope(reply, ask, "chat.completion", [choice]) | usage

    def refusal(self, status: int, message: str | None = None) -> Json:
        return refusal(status, message)

    def error(self, reply: Reply) -> Json:
        return {"error": reply.error or {"message": FAILURE, "type": "server_error", "param": None, "code": None}}


def refusal(status: int, message: str | None = None) -> Json:
    """The error object of all of OpenAI's APIs."""
    kind, code = "invalid_request_error" if status < 500 else "server_error", None
    if status == HTTPStatus.UNAUTHORIZED:
        code = "invalid_api_key"
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        kind, code = "requests", "rate_limit_exceeded"
    return {"error": {"message": message or scripted_refusal(status), "type": kind, "param": None, "code": code}}


def models(*names: str) -> Json:
    """The answer to a request for the list of models."""
    listed = [{"id": name, "object": "model", "created": CREATED, "owned_by": "tokenwire"} for name in names]
    return {"object": "list", "data": listed}


def _chunk(reply: Reply, ask: Ask, delta: Json, finish_reason: str | None = None) -> Json:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    usage = {"usage": None} if reply.usage and _includes_usage(ask) else {}
    return _envelope(reply, ask, "chat.completion.chunk", [choice]) | usage


def _envelope(reply: Reply, ask: Ask, kind: str, choices: list[Json]) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{ask.number:06d}",
        "object": kind,
        "created": CREATED,
        "model": reply.model or ask.model,
        "choices": choices,
    }


def _call(call: ToolCall, arguments: str) -> Json:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _includes_usage(ask: Ask) -> bool:
    options = ask.body.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True


def _usage(reply: Reply) -> Json:
    cached = {} if reply.cached_tokens is None else {"prompt_tokens_details": {"cached_tokens": reply.cached_tokens}}
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.deltas,
        "total_tokens": reply.prompt_tokens + reply.deltas,
        **cached,
        "completion_tokens_details": {"reasoning_tokens": len(reply.reasoning)},
    }

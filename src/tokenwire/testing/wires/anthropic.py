"""Anthropic's Messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Final

from ..reply import Reply
from ..request import Request
from .base import FAILURE, Ask, Event, Json, Wire, scripted_refusal

_STOP_REASONS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
}

_ERROR_TYPES: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicMessages(Wire):
    """`POST /v1/messages`."""

    path = "/v1/messages"

    def problem(self, request: Request, body: Any) -> str | None:
        if problem := super().problem(request, body):
            return problem
        return None if isinstance(body.get("max_tokens"), int) else "'max_tokens' is not an integer."

    def opening(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        message = _message(reply, ask, []) | {"stop_reason": None, "stop_sequence": None, "stop_details": None}
        yield _event("message_start", message=message | _usage(reply, output_tokens=1))
        yield _event("ping")

    def content(self, reply: Reply, ask: Ask) -> Iterator[Event]:  # noqa: ARG002  # the same for every request
        numbers = count()
        if _thinks(reply):
            thoughts = [{"type": "thinking_delta", "thinking": delta} for delta in reply.reasoning]
            thinking = {"type": "thinking", "thinking": "", "signature": ""}
            yield from _block(next(numbers), thinking, thoughts, reply.signature)
        if reply.text:
            words = [{"type": "text_delta", "text": delta} for delta in reply.text]
            yield from _block(next(numbers), {"type": "text", "text": ""}, words)
        for call in reply.tool_calls:
            pieces = [{"type": "input_json_delta", "partial_json": delta} for delta in call.arguments]
            use: Json = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            yield from _block(next(numbers), use, pieces)

    def ending(self, reply: Reply, ask: Ask) -> Iterator[Event]:  # noqa: ARG002  # as above
        if reply.finish_reason is not None:
            yield _event("message_delta", delta=_stop(reply), **_usage(reply, reply.deltas))
        if reply.done:
            yield _event("message_stop")

    def failure(self, reply: Reply, ask: Ask) -> Iterator[Event]:  # noqa: ARG002  # as above
        yield Event(self.error(reply), name="error")

    def document(self, reply: Reply, ask: Ask) -> Json:
        blocks: list[Json] = []
        if _thinks(reply):
            thoughts = "".join(reply.reasoning)
            blocks.append({"type": "thinking", "thinking": thoughts, "signature": reply.signature or ""})
        if reply.text:
            blocks.append({"type": "text", "text": "".join(reply.text)})
        for call in reply.tool_calls:
            blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": call.value})
        return _message(reply, ask, blocks) | _stop(reply) | _usage(reply, reply.deltas)

    def refusal(self, status: int, message: str | None = None) -> Json:
        kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
        return {"type": "error", "error": {"type": kind, "message": message or scripted_refusal(status)}}

    def error(self, reply: Reply) -> Json:
        return {"type": "error", "error": reply.error or {"type": "api_error", "message": FAILURE}}


def _event(kind: str, deltas: int = 0, **fields: object) -> Event:
    return Event({"type": kind, **fields}, deltas, kind)


def _block(index: int, begun: Json, deltas: Iterable[Json], signature: str | None = None) -> Iterator[Event]:
    yield _event("content_block_start", index=index, content_block=begun)
    for delta in deltas:
        yield _event("content_block_delta", deltas=1, index=index, delta=delta)
    if signature is not None:
        yield _event("content_block_delta", index=index, delta={"type": "signature_delta", "signature": signature})
    yield _event("content_block_stop", index=index)


def _thinks(reply: Reply) -> bool:
    # A model whose thoughts are not shown still signs them: a block of nothing but its signature.
    return bool(reply.reasoning) or reply.signature is not None


def _message(reply: Reply, ask: Ask, content: list[Json]) -> dict[str, Any]:
    return {
        "id": f"msg_{ask.number:06d}",
        "type": "message",
        "role": "assistant",
        "model": reply.model or ask.model,
        "content": content,
    }


def _stop(reply: Reply) -> dict[str, Any]:
    reason = reply.finish_reason and _STOP_REASONS.get(reply.finish_reason, reply.finish_reason)
    details = {"type": "refusal", "category": None, "explanation": None} if reason == "refusal" else None
    return {"stop_reason": reason, "stop_sequence": None, "stop_details": details}


def _usage(reply: Reply, output_tokens: int) -> dict[str, Any]:
    """The field of that name, if the reply has one."""
    if not reply.usage:
        return {}
    usage = {"input_tokens": reply.prompt_tokens - (reply.cached_tokens or 0), "output_tokens": output_tokens}
    if reply.cached_tokens is not None:
        usage |= {"cache_creation_input_tokens": 0, "cache_read_input_tokens": reply.cached_tokens}
    return {"usage": usage}

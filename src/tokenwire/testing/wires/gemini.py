"""Google's Gemini API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from ..reply import Reply
from ..request import Request
from ..tool_call import ToolCall
from .base import FAILURE, MODEL, Ask, Event, Json, Wire, scripted_refusal

_PATH: Final = re.compile(r"/v1(?:alpha|beta)?/models/([^/:]+):(generateContent|streamGenerateContent)")

_FINISH_REASONS: Final = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "tool_calls": "STOP",
}

_STATUSES: Final = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Gemini(Wire):
    """`POST /v1beta/models/{model}:streamGenerateContent?alt=sse` and `…:generateContent`."""

    conversation = "contents"

    def serves(self, path: str) -> bool:
        return _PATH.fullmatch(path) is not None

    def problem(self, request: Request, body: Any) -> str | None:
        if not isinstance(body, dict):
            return "The body is not a JSON object."
        if _streams(request) and parse_qs(request.query).get("alt") != ["sse"]:
            return "A stream is only spoken here as server-sent events: alt=sse."
        return self.conversation_problem(body)

    def ask(self, number: int, request: Request, body: Json) -> Ask:
        match = _PATH.fullmatch(request.path)
        return Ask(number, unquote(match[1]) if match else MODEL, _streams(request), body)

    def content(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        for delta in reply.reasoning:
            yield Event(_chunk(reply, ask, [_thought(delta)]), deltas=1)
        for delta in reply.text:
            yield Event(_chunk(reply, ask, [{"text": delta}]), deltas=1)
        for call, part in zip(reply.tool_calls, _calls(reply), strict=True):
            yield Event(_chunk(reply, ask, [part]), deltas=len(call.arguments))

    def ending(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        if reply.finish_reason is not None:
            last: Json = {"text": ""} if reply.tool_calls else _signed({"text": ""}, reply)
            blocked = reply.finish_reason == "content_filter"
            yield Event(_finished(reply, ask, [] if blocked else [last]))

    def document(self, reply: Reply, ask: Ask) -> Json:
        parts = [_thought("".join(reply.reasoning))] if reply.reasoning else []
        text = {"text": "".join(reply.text)}
        if not reply.tool_calls:
            parts.append(_signed(text, reply))
        elif reply.text:
            parts.append(text)
        return _finished(reply, ask, parts + _calls(reply))

    def refusal(self, status: int, message: str | None = None) -> Json:
        name = _STATUSES.get(status, "INVALID_ARGUMENT" if status < 500 else "UNKNOWN")
        return {"error": {"code": status, "message": message or scripted_refusal(status), "status": name}}

    def error(self, reply: Reply) -> Json:
        return {"error": reply.error or {"code": 500, "message": FAILURE, "status": "INTERNAL"}}


def _streams(request: Request) -> bool:
    return request.path.endswith(":streamGenerateContent")


def _thought(text: str) -> Json:
    return {"text": text, "thought": True}


def _signed(part: Json, reply: Reply) -> Json:
    return part if reply.signature is None else {**part, "thoughtSignature": reply.signature}


def _calls(reply: Reply) -> list[Json]:
    """The calls as parts, the first of which is signed."""
    parts = [_call(call) for call in reply.tool_calls]
    return [_signed(part, reply) for part in parts[:1]] + parts[1:]


def _call(call: ToolCall) -> Json:
    id_ = {} if call.id is None else {"id": call.id}
    return {"functionCall": {**id_, "name": call.name, "args": call.value}}


def _chunk(reply: Reply, ask: Ask, parts: list[Json]) -> dict[str, Any]:
    """A part of an answer, whose usage knows of the prompt alone."""
    content = {"content": {"parts": parts, "role": "model"}} if parts else {}
    chunk: dict[str, Any] = {
        "candidates": [{**content, "index": 0}],
        "modelVersion": reply.model or ask.model,
        "responseId": f"response-{ask.number:06d}",
    }
    if reply.usage:
        chunk["usageMetadata"] = _prompt_usage(reply)
    return chunk


def _finished(reply: Reply, ask: Ask, parts: list[Json]) -> Json:
    """The last part of an answer, or the whole."""
    last = _chunk(reply, ask, parts)
    if reply.finish_reason is not None:
        reason = _FINISH_REASONS.get(reply.finish_reason, reply.finish_reason)
        last["candidates"][0]["finishReason"] = reason
    if reply.usage:
        last["usageMetadata"] = _prompt_usage(reply) | {
            "candidatesTokenCount": reply.deltas - len(reply.reasoning),
            "thoughtsTokenCount": len(reply.reasoning),
            "totalTokenCount": reply.prompt_tokens + reply.deltas,
        }
    return last


def _prompt_usage(reply: Reply) -> dict[str, int]:
    usage = {"promptTokenCount": reply.prompt_tokens, "totalTokenCount": reply.prompt_tokens}
    return usage if reply.cached_tokens is None else usage | {"cachedContentTokenCount": reply.cached_tokens}

"""The text of a scripted answer in OpenAI's chat completion formats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from .reply import Reply

CREATED: Final = 1_700_000_000
"""A fixed time, so that the same script gives the same bytes."""

MODEL: Final = "scripted"

_SERVER_ERROR: Final[Mapping[str, object]] = {
    "message": "The model failed to answer.",
    "type": "server_error",
    "param": None,
    "code": None,
}


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request asks for, as far as the answer's form depends on it."""

    number: int
    model: str
    stream: bool
    include_usage: bool

    @classmethod
    def of(cls, number: int, body: Mapping[str, Any]) -> Ask:
        options = body.get("stream_options")
        return cls(
            number=number,
            model=str(body.get("model", MODEL)),
            stream=body.get("stream") is True,
            include_usage=isinstance(options, Mapping) and options.get("include_usage") is True,
        )


@dataclass(frozen=True, slots=True)
class EventStream:
    """The server-sent events of a streamed answer, one string an event."""

    opening: str
    deltas: tuple[str, ...]
    ending: tuple[str, ...]


def event_stream(reply: Reply, ask: Ask) -> EventStream:
    said: list[dict[str, object]] = [{reply.reasoning_field: delta} for delta in reply.reasoning]
    said += [{"content": delta} for delta in reply.text]
    ending: list[str] = []
    if reply.error_after is not None:
        said = said[: reply.error_after]
        ending.append(to_json(in_band_error(reply)))
    else:
        if reply.finish_reason is not None:
            ending.append(to_json(_chunk(reply, ask, {}, reply.finish_reason)))
        if reply.usage and ask.include_usage:
            ending.append(to_json(_envelope(reply, ask, "chat.completion.chunk", [], _usage(reply))))
    if reply.done:
        ending.append("[DONE]")
    return EventStream(
        opening=_event(reply, to_json(_chunk(reply, ask, {"role": "assistant", "content": ""}))),
        deltas=tuple(_event(reply, to_json(_chunk(reply, ask, delta))) for delta in said),
        ending=tuple(_event(reply, data) for data in ending),
    )


def completion(reply: Reply, ask: Ask) -> dict[str, object]:
    """The answer to a request that does not stream."""
    message: dict[str, object] = {"role": "assistant", "content": "".join(reply.text)}
    if reply.reasoning:
        message[reply.reasoning_field] = "".join(reply.reasoning)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    return _envelope(reply, ask, "chat.completion", [choice], _usage(reply) if reply.usage else None)


def models(*names: str) -> dict[str, object]:
    """The answer to a request for the list of models."""
    listed = [{"id": name, "object": "model", "created": CREATED, "owned_by": "tokenwire"} for name in names]
    return {"object": "list", "data": listed}


def refusal(status: int, message: str | None = None) -> dict[str, object]:
    """The error object that goes with an HTTP status."""
    message = message or f"Scripted refusal {status}."
    kind, code = "invalid_request_error" if status < 500 else "server_error", None
    if status == HTTPStatus.UNAUTHORIZED:
        code = "invalid_api_key"
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        kind, code = "requests", "rate_limit_exceeded"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def in_band_error(reply: Reply) -> dict[str, object]:
    """The object that a failing stream carries in place of a chunk."""
    return {"error": reply.error or _SERVER_ERROR}


def to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _chunk(
    reply: Reply,
    ask: Ask,
    delta: Mapping[str, object],
    finish_reason: str | None = None,
) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    chunk = _envelope(reply, ask, "chat.completion.chunk", [choice])
    if reply.usage and ask.include_usage:
        chunk["usage"] = None
    return chunk


def _envelope(
    reply: Reply, ask: Ask, kind: str, choices: list[dict[str, object]], usage: object = None
) -> dict[str, object]:
    envelope: dict[str, object] = {
        "id": f"chatcmpl-{ask.number:06d}",
        "object": kind,
        "created": CREATED,
        "model": reply.model or ask.model,
        "choices": choices,
    }
    if usage is not None:
        envelope["usage"] = usage
    return envelope


def _usage(reply: Reply) -> dict[str, object]:
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.deltas,
        "total_tokens": reply.prompt_tokens + reply.deltas,
        "completion_tokens_details": {"reasoning_tokens": len(reply.reasoning)},
    }


def _event(reply: Reply, data: str) -> str:
    comment = f": keep-alive{reply.line_end * 2}" if reply.comments else ""
    return f"{comment}data: {data}{reply.line_end * 2}"

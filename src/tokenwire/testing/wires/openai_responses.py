"""OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, Final, Literal, cast

from ..reply import Reply
from ..tool_call import ToolCall
from .base import CREATED, FAILURE, Ask, Event, Json, Stream, Wire
from .openai_chat import refusal

_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}

Status = Literal["in_progress", "completed"]


class OpenAIResponses(Wire):
    """`POST /v1/responses`."""

    path = "/v1/responses"
    conversation = "input"

    def conversation_problem(self, body: Json) -> str | None:
        return None if isinstance(body.get("input"), str) else super().conversation_problem(body)

    def stream(self, reply: Reply, ask: Ask) -> Stream:
        numbers = count()
        opening, content, ending = (
            tuple(_numbered(event, next(numbers)) for event in events) for events in super().stream(reply, ask)
        )
        return Stream(opening, content, ending)

    def opening(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        for kind in ("response.created", "response.in_progress"):
            yield _event(kind, response=_response(reply, ask, "in_progress"))

    def content(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        index = count()
        if _thinks(reply):
            yield from _reasoning_events(reply, ask, next(index))
        if reply.text:
            yield from _message_events(reply, ask, next(index))
        for number, call in enumerate(reply.tool_calls):
            yield from _call_events(call, ask, number, next(index))

    def ending(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        if reply.finish_reason is not None:
            response = self.document(reply, ask)
            yield _event(f"response.{response['status']}", response=response)

    def failure(self, reply: Reply, ask: Ask) -> Iterator[Event]:
        error = self.error(reply)["error"]
        yield _event("error", **{name: error.get(name) for name in ("code", "message", "param")})
        failed = {"code": error.get("code") or "server_error", "message": error.get("message")}
        yield _event("response.failed", response=_response(reply, ask, "failed") | {"error": failed})

    def document(self, reply: Reply, ask: Ask) -> Json:
        reason = _INCOMPLETE.get(reply.finish_reason or "")
        response = _response(reply, ask, "incomplete" if reason else "completed") | {"output": _output(reply, ask)}
        if reason:
            response["incomplete_details"] = {"reason": reason}
        if reply.usage:
            response["usage"] = _usage(reply)
        return response

    def refusal(self, status: int, message: str | None = None) -> Json:
        return refusal(status, message)

    def error(self, reply: Reply) -> Json:
        default = {"message": FAILURE, "type": "server_error", "param": None, "code": "server_error"}
        return {"error": reply.error or default}


def _event(kind: str, deltas: int = 0, **fields: object) -> Event:
    return Event({"type": kind, **fields}, deltas, kind)


def _numbered(event: Event, number: int) -> Event:
    return event._replace(data={**cast(Json, event.data), "sequence_number": number})


def _reasoning_events(reply: Reply, ask: Ask, index: int) -> Iterator[Event]:
    begun = _reasoning(reply, ask, "in_progress")
    yield _event("response.output_item.added", output_index=index, item=begun)
    if reply.reasoning:
        at = {"item_id": begun["id"], "output_index": index, "summary_index": 0}
        text = "".join(reply.reasoning)
        yield _event("response.reasoning_summary_part.added", **at, part={"type": "summary_text", "text": ""})
        for delta in reply.reasoning:
            yield _event("response.reasoning_summary_text.delta", deltas=1, **at, delta=delta)
        yield _event("response.reasoning_summary_text.done", **at, text=text)
        yield _event("response.reasoning_summary_part.done", **at, part={"type": "summary_text", "text": text})
    yield _event("response.output_item.done", output_index=index, item=_reasoning(reply, ask, "completed"))


def _message_events(reply: Reply, ask: Ask, index: int) -> Iterator[Event]:
    begun = _message(reply, ask, "in_progress")
    at = {"item_id": begun["id"], "output_index": index, "content_index": 0}
    text = "".join(reply.text)
    yield _event("response.output_item.added", output_index=index, item=begun)
    yield _event("response.content_part.added", **at, part=_text(""))
    for delta in reply.text:
        yield _event("response.output_text.delta", deltas=1, **at, delta=delta, logprobs=[])
    yield _event("response.output_text.done", **at, text=text, logprobs=[])
    yield _event("response.content_part.done", **at, part=_text(text))
    yield _event("response.output_item.done", output_index=index, item=_message(reply, ask, "completed"))


def _call_events(call: ToolCall, ask: Ask, number: int, index: int) -> Iterator[Event]:
    begun = _call(call, ask, number, "in_progress")
    at = {"item_id": begun["id"], "output_index": index}
    yield _event("response.output_item.added", output_index=index, item=begun)
    for delta in call.arguments:
        yield _event("response.function_call_arguments.delta", deltas=1, **at, delta=delta)
    yield _event("response.function_call_arguments.done", **at, arguments=call.json)
    yield _event("response.output_item.done", output_index=index, item=_call(call, ask, number, "completed"))


def _output(reply: Reply, ask: Ask) -> list[Json]:
    output = [_reasoning(reply, ask, "completed")] if _thinks(reply) else []
    if reply.text:
        output.append(_message(reply, ask, "completed"))
    calls = enumerate(reply.tool_calls)
    return output + [_call(call, ask, number, "completed") for number, call in calls]


def _thinks(reply: Reply) -> bool:
    # A model whose thoughts are not shown still has them: an item without a summary.
    return bool(reply.reasoning) or reply.signature is not None


def _reasoning(reply: Reply, ask: Ask, status: Status) -> Json:
    item: dict[str, Any] = {"id": f"rs_{ask.number:06d}", "type": "reasoning", "summary": []}
    if status == "completed":
        if reply.reasoning:
            item["summary"] = [{"type": "summary_text", "text": "".join(reply.reasoning)}]
        included = ask.body.get("include")
        if isinstance(included, list) and "reasoning.encrypted_content" in included:
            item["encrypted_content"] = reply.signature
    return item


def _message(reply: Reply, ask: Ask, status: Status) -> Json:
    content = [_text("".join(reply.text))] if status == "completed" else []
    return {
        "id": f"msg_{ask.number:06d}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def _text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _call(call: ToolCall, ask: Ask, number: int, status: Status) -> Json:
    return {
        "id": f"fc_{ask.number:06d}_{number}",
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": call.json if status == "completed" else "",
    }


def _response(reply: Reply, ask: Ask, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{ask.number:06d}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": reply.model or ask.model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": ask.body.get("store") is not False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
    }


def _usage(reply: Reply) -> Json:
    return {
        "input_tokens": reply.prompt_tokens,
        "input_tokens_details": {"cached_tokens": reply.cached_tokens or 0, "cache_write_tokens": 0},
        "output_tokens": reply.deltas,
        "output_tokens_details": {"reasoning_tokens": len(reply.reasoning)},
        "total_tokens": reply.prompt_tokens + reply.deltas,
    }

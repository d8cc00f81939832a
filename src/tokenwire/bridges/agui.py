"""An AG-UI agent that is asked over HTTP, as an agent of tokenwire."""

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

import msgspec

from .. import events
from ..agents.agent import AgentFunction
from ..agents.ask import Ask
from ..agents.pieces import Finish, Piece, Reasoning, ToolResult
from ..client.errors import ConnectionLostError, HttpError
from ..client.http import HttpCall
from ..client.options import FetchOptions, Headers, request_headers
from ..errors import Code, Failure, ProtocolError, TruncatedStreamError, UpstreamFailure
from ..providers.refusal import read_refusal
from ..wire.reading import Chunk, Event, SseReader
from .agui_history import SEAL, rows
from .calls import Calls
from .thread import thread_key

_HEADERS = {"Content-Type": "application/json", "Accept": "text/event-stream"}
_FINISH_REASONS: dict[object, events.FinishReason] = {"length": "length", "content_filter": "content_filter"}
_COUNTS = {
    "prompt_tokens": "inputTokens",
    "completion_tokens": "outputTokens",
    "total_tokens": "totalTokens",
    "cached_tokens": "cachedInputTokens",
    "reasoning_tokens": "reasoningTokens",
    "cache_write_tokens": "cacheWriteInputTokens",
}


def agui_agent(
    url: str,
    *,
    headers: Callable[[Ask], Headers | Awaitable[Headers]] | None = None,
    forwarded_props: Callable[[Ask], Mapping[str, Any]] | None = None,
    options: FetchOptions | None = None,
) -> AgentFunction:
    """An agent function that asks an AG-UI agent::

        backend.agent("planner")(agui_agent("http://planner.internal/agent"))

    Text, reasoning, tool calls, their results and custom events are passed on, under ids that are made here; state,
    steps and activities are not, nor is a question to the user (an interrupt). The agent knows the thread by an id that
    is the principal's own.

    :param headers: from a question to headers of the request; it may be ``async``.
    :param forwarded_props: from a question to what the agent is given beside the conversation. What the client sent in
        its own, ``ask.data``, is not passed on unless this does so.
    :param options: timeouts (``limits``), or an HTTP client of yours (``fetch_client``).
    """
    how = options or FetchOptions()

    async def answer(ask: Ask) -> AsyncIterator[Piece]:
        given: Any = () if headers is None else headers(ask)
        if inspect.isawaitable(given):
            given = await given
        body = {
            "threadId": thread_key(ask),
            "runId": ask.run_id,
            "state": {},
            "messages": rows(ask.messages),
            "tools": [],
            "context": [],
            "forwardedProps": {} if forwarded_props is None else forwarded_props(ask),
        }
        call = HttpCall("POST", url, request_headers({}, _HEADERS, given), msgspec.json.encode(body), how, None)
        reading = _Reading()
        with _failures(reading):
            happened: AsyncGenerator[Event, None] = call.events(None, SseReader(how.limits.event_bytes))
            async with aclosing(happened):
                async for event in happened:
                    for piece in reading.pieces(event.chunk):
                        yield piece
                    if reading.done:
                        return
        raise UpstreamFailure(Code.upstream_truncated)

    return answer


@contextmanager
def _failures(reading: "_Reading") -> Iterator[None]:
    try:
        yield
    except HttpError as error:
        later = {} if error.retry_after is None else {"retry-after": f"{error.retry_after:.0f}"}
        raise read_refusal(error.status, later, error.body.encode()) from error
    except TruncatedStreamError as error:
        raise UpstreamFailure(Code.upstream_truncated) from error
    except ProtocolError as error:
        raise UpstreamFailure(Code.upstream_malformed, detail=str(error)) from error
    except ConnectionLostError as error:
        code = Code.upstream_truncated if reading.begun else Code.upstream_unavailable
        if isinstance(error.__cause__, TimeoutError):
            code = Code.upstream_timeout
        raise UpstreamFailure(code, detail=str(error)) from error


class _Reading:
    """One answer as it is read."""

    def __init__(self) -> None:
        self.begun = False
        """Whether it said anything."""
        self.done = False
        """Whether the agent said that it has finished."""
        self._calls = Calls()
        self._call_id = ""

    def pieces(self, chunk: Chunk) -> list[Piece]:
        """What an event says. Raises :class:`Failure` for the agent's own."""
        self.begun = True
        match chunk:
            case {"type": "TEXT_MESSAGE_CONTENT" | "TEXT_MESSAGE_CHUNK", "delta": str(delta)}:
                return [delta]
            case {"type": "TEXT_MESSAGE_END"}:
                return [events.TextMessageEnd("")]
            case {
                "type": "REASONING_MESSAGE_CONTENT" | "REASONING_MESSAGE_CHUNK" | "THINKING_TEXT_MESSAGE_CONTENT",
                "delta": str(delta),
            }:
                return [Reasoning(delta)]
            case {"type": "REASONING_ENCRYPTED_VALUE", "subtype": "message", "encryptedValue": str(value)}:
                return [Reasoning("", SEAL.seal(value))]
            case {"type": "REASONING_END"}:
                return [events.ReasoningEnd("")]
            case {"type": "CUSTOM", "name": str(name), "value": value}:
                return [events.Custom(name, value)]
            case {"type": "RUN_FINISHED"}:
                self.done = True
                reason = "tool_calls" if self._calls.waiting else _FINISH_REASONS.get(chunk.get("finishReason"), "stop")
                return [Finish(reason, _usage(chunk.get("usage")))]
            case {"type": "RUN_ERROR"}:
                raise Failure(Code.agent_failed, detail=f"{chunk.get('code')}: {chunk.get('message')}")
        return self._called(chunk)

    def _called(self, chunk: Chunk) -> list[Piece]:
        match chunk:
            case {"type": "TOOL_CALL_START", "toolCallId": str(call_id), "toolCallName": str(name)}:
                return [self._begin(call_id, name)]
            case {"type": "TOOL_CALL_ARGS", "toolCallId": str(call_id), "delta": str(delta)}:
                return self._arguments(call_id, delta)
            case {"type": "TOOL_CALL_CHUNK"}:
                return self._chunk(chunk)
            case {"type": "TOOL_CALL_END", "toolCallId": str(call_id)}:
                found = self._calls.find(call_id)
                return [] if found is None else [events.ToolCallEnd(found)]
            case {"type": "TOOL_CALL_RESULT", "toolCallId": str(call_id), "content": content}:
                found = self._calls.end(call_id)
                return [] if found is None else [ToolResult(found, _text(content))]
        return []

    def _chunk(self, chunk: Chunk) -> list[Piece]:
        """A start where it names another call than the one before, and arguments."""
        said: list[Piece] = []
        match chunk:
            case {"toolCallId": str(call_id), "toolCallName": str(name)} if call_id != self._call_id:
                said.append(self._begin(call_id, name))
        match chunk:
            case {"delta": str(delta)}:
                said += self._arguments(self._call_id, delta)
        return said

    def _begin(self, call_id: str, name: str) -> Piece:
        self._call_id = call_id
        return events.ToolCallStart(self._calls.begin(call_id), name, "")

    def _arguments(self, call_id: str, delta: str) -> list[Piece]:
        found = self._calls.find(call_id)
        return [] if found is None else [events.ToolCallArgs(found, delta)]


def _text(content: object) -> str:
    """A result's content: text, or parts of which only text can be passed on."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def _usage(reported: object) -> events.Usage | None:
    """What all its models have used together."""
    used = [one for one in reported if isinstance(one, dict)] if isinstance(reported, list) else []
    counts: dict[str, int] = {}
    for ours, theirs in _COUNTS.items():
        if known := [one[theirs] for one in used if isinstance(one.get(theirs), int)]:
            counts[ours] = sum(known)
    return events.Usage(**counts) if counts else None

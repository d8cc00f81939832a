"""A LangGraph graph as an agent of tokenwire."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import aclosing
from typing import Any

import msgspec

from .. import events
from ..agents.agent import AgentFunction
from ..agents.ask import Ask
from ..agents.pieces import Finish, Piece, Reasoning, ToolResult
from ..messages import ToolCall
from .calls import Calls
from .extra import extra
from .refused import model_refusals
from .thread import thread_key

with extra("langgraph"):
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
    from langchain_core.messages.ai import UsageMetadata, add_usage
    from langchain_core.messages.tool import ToolCallChunk
    from langgraph.pregel import Pregel

    from .langgraph_history import conversation, signature

_REASONS = ("finish_reason", "stop_reason", "done_reason")
_FINISH_REASONS: dict[str, events.FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
}


def langgraph_agent(
    graph: Pregel[Any, Any, Any, Any],
    *,
    nodes: Collection[str] | None = None,
    configurable: Callable[[Ask], Mapping[str, Any]] | None = None,
    context: Callable[[Ask], Any] | None = None,
) -> AgentFunction:
    """An agent function that runs a compiled graph whose state has ``messages``::

        backend.agent("support")(langgraph_agent(graph, context=lambda ask: Shop(user=ask.principal)))

    A graph with a checkpointer has the thread's memory: it is given what is new since the last answer, under a
    ``thread_id`` that is the principal's own. Any other is given the whole conversation. ``temperature`` and
    ``max_tokens`` are configurable where they were asked for. What a node writes to the stream writer is told as an
    event ``CUSTOM`` of the name ``langgraph``.

    :param nodes: whose messages are the answer; those of all nodes by default.
    :param configurable: from a question to more of ``config["configurable"]``.
    :param context: from a question to the graph's runtime context.
    """

    async def answer(ask: Ask) -> AsyncIterator[Piece]:
        wanted = {"temperature": ask.temperature, "max_tokens": ask.max_tokens}
        chosen = {name: value for name, value in wanted.items() if value is not None}
        more = configurable(ask) if configurable is not None else {}
        messages = conversation(ask.messages, only_new=bool(graph.checkpointer))
        happened: Any = graph.astream(
            {"messages": messages},
            {"configurable": {"thread_id": thread_key(ask), **chosen, **more}},
            context=context(ask) if context is not None else None,
            stream_mode=["messages", "custom"],
        )
        reading = _Reading()
        with model_refusals():
            async with aclosing(happened):
                async for mode, value in happened:
                    if mode == "custom":
                        yield events.Custom("langgraph", msgspec.to_builtins(value))
                    elif nodes is None or value[1].get("langgraph_node") in nodes:
                        for piece in reading.pieces(value[0]):
                            yield piece
        yield reading.finish()

    return answer


class _Reading:
    """One answer as it is read."""

    def __init__(self) -> None:
        self._calls = Calls()
        self._open: dict[tuple[str | None, Any], str] = {}
        self._reason = ""
        self._usage: UsageMetadata | None = None

    def pieces(self, message: BaseMessage) -> list[Piece]:
        """What a message, or a chunk of one, says."""
        match message:
            case ToolMessage():
                call_id = self._calls.end(message.tool_call_id)
                return [] if call_id is None else [ToolResult(call_id, str(message.text))]
            case AIMessage():
                self._usage = add_usage(self._usage, message.usage_metadata) if message.usage_metadata else self._usage
                self._reason = next(filter(None, map(message.response_metadata.get, _REASONS)), self._reason)
                return [*_said(message), *self._called(message)]
        return []

    def finish(self) -> Finish:
        """How it ends."""
        reason = "tool_calls" if self._calls.waiting else _FINISH_REASONS.get(self._reason.lower(), "stop")
        return Finish(reason, _usage(self._usage))

    def _called(self, message: AIMessage) -> list[Piece]:
        if not isinstance(message, AIMessageChunk):
            return [
                ToolCall(self._calls.begin(call["id"] or call["name"]), call["name"], _json(call["args"]))
                for call in message.tool_calls
            ]
        told = [piece for chunk in message.tool_call_chunks for piece in self._fragment(message.id, chunk)]
        if message.chunk_position == "last":
            told += [events.ToolCallEnd(call_id) for call_id in self._open.values()]
            self._open.clear()
        return told

    def _fragment(self, message_id: str | None, chunk: ToolCallChunk) -> list[Piece]:
        told: list[Piece] = []
        place = (message_id, chunk["index"])
        if chunk["name"]:
            self._open[place] = self._calls.begin(chunk["id"] or chunk["name"])
            told.append(events.ToolCallStart(self._open[place], chunk["name"], ""))
        if chunk["args"] and place in self._open:
            told.append(events.ToolCallArgs(self._open[place], chunk["args"]))
        return told


def _said(message: AIMessage) -> list[Piece]:
    if isinstance(message.content, str) and not message.additional_kwargs:
        return [message.content]
    said: list[Piece] = []
    for block in message.content_blocks:
        if block["type"] == "text":
            said.append(block["text"])
        elif block["type"] == "reasoning":
            said.append(Reasoning(block.get("reasoning", ""), signature(block, message.response_metadata)))
    return said


def _json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


def _usage(used: UsageMetadata | None) -> events.Usage | None:
    if used is None:
        return None
    read, made = used.get("input_token_details", {}), used.get("output_token_details", {})
    return events.Usage(
        prompt_tokens=used["input_tokens"],
        completion_tokens=used["output_tokens"],
        total_tokens=used["total_tokens"],
        cached_tokens=read.get("cache_read"),
        reasoning_tokens=made.get("reasoning"),
        cache_write_tokens=read.get("cache_creation"),
    )

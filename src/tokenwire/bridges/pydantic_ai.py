"""A pydantic-ai agent as an agent of tokenwire."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from .. import events
from ..agents.agent import AgentFunction
from ..agents.ask import Ask
from ..agents.pieces import Finish, Piece, Reasoning, ToolResult
from ..messages import ToolCall
from .calls import Calls
from .extra import extra
from .refused import model_refusals
from .thread import thread_key

with extra("pydantic-ai"):
    from pydantic_ai import AgentRunResult, AgentRunResultEvent, DeferredToolRequests
    from pydantic_ai.agent import AbstractAgent
    from pydantic_ai.capabilities import ReinjectSystemPrompt
    from pydantic_ai.messages import (
        PartDeltaEvent,
        PartEndEvent,
        PartStartEvent,
        TextPart,
        TextPartDelta,
        ThinkingPart,
        ThinkingPartDelta,
        ToolCallPart,
        ToolResultEvent,
    )
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.usage import RunUsage

    from .pydantic_ai_history import Conversation, signature

_Deps = TypeVar("_Deps")
_FINISH_REASONS: dict[str | None, events.FinishReason] = {"length": "length", "content_filter": "content_filter"}


def pydantic_agent(
    agent: AbstractAgent[_Deps, Any], *, deps: Callable[[Ask], _Deps | Awaitable[_Deps]] | None = None
) -> AgentFunction:
    """An agent function that runs a pydantic-ai agent::

        backend.agent("support")(pydantic_agent(agent, deps=lambda ask: Shop(user=ask.principal)))

    The agent gets the conversation with its own instructions and system prompt; a persona's system prompt is added to
    them. Its tools run where it runs, and are shown. Calls it defers end the run with ``tool_calls``, and their results
    are taken from the next turn's conversation. A structured output is shown as the call of the output tool it is.

    :param deps: from a question to the agent's dependencies; it may be ``async``.
    """

    async def answer(ask: Ask) -> AsyncIterator[Piece]:
        given: Any = None if deps is None else deps(ask)
        if inspect.isawaitable(given):
            given = await given
        conversation = Conversation(ask.messages)
        run = agent.run_stream_events(
            conversation.prompt,
            message_history=conversation.history,
            instructions=conversation.instructions,
            conversation_id=thread_key(ask),
            deps=given,
            model_settings=_settings(ask),
            capabilities=[ReinjectSystemPrompt()],
        )
        calls = Calls()
        with model_refusals():
            async with run as happened:
                async for event in happened:
                    for piece in _pieces(event, calls):
                        yield piece

    return answer


def _settings(ask: Ask) -> ModelSettings:
    settings = ModelSettings()
    if ask.temperature is not None:
        settings["temperature"] = ask.temperature
    if ask.max_tokens is not None:
        settings["max_tokens"] = ask.max_tokens
    return settings


def _pieces(event: object, calls: Calls) -> list[Piece]:
    match event:
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return [text]
        case PartStartEvent(part=ThinkingPart(content=text)):
            return [Reasoning(text)]
        case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=text)):
            return [Reasoning(text or "")]
        case PartEndEvent(part=ThinkingPart() as part):
            return [Reasoning("", signature(part)), events.ReasoningEnd("")]
        case PartEndEvent(part=ToolCallPart() as part):
            call_id = calls.begin(part.tool_call_id)
            return [ToolCall(call_id, part.tool_name, part.args_as_json_str(), signature(part))]
        case ToolResultEvent():
            found = calls.end(event.tool_call_id)
            return [] if found is None else [ToolResult(found, event.part.model_response_str())]
        case AgentRunResultEvent(result=result):
            return [_finish(result)]
    return []


def _finish(result: AgentRunResult[Any]) -> Finish:
    response = result.response
    reason = _FINISH_REASONS.get(response.finish_reason, "stop")
    if isinstance(result.output, DeferredToolRequests):
        reason = "tool_calls"
    return Finish(reason, _usage(result.usage), response.model_name)


def _usage(used: RunUsage) -> events.Usage:
    """What all requests of the run have used together. What was not reported is 0 there, and left out here."""
    return events.Usage(
        prompt_tokens=used.input_tokens or None,
        completion_tokens=used.output_tokens or None,
        total_tokens=used.total_tokens or None,
        cached_tokens=used.cache_read_tokens or None,
        reasoning_tokens=used.output_reasoning_tokens or None,
        cache_write_tokens=used.cache_write_tokens or None,
    )

"""A model that any-llm knows how to ask, as an agent of tokenwire: for providers that have no codec here."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from .. import events
from ..agents.agent import AgentFunction
from ..agents.ask import Ask
from ..agents.pieces import Finish, Piece, Reasoning
from ..errors import Code, UpstreamFailure
from ..providers.openai_chat_history import rows
from .calls import Calls
from .extra import extra
from .refused import model_refusals

with extra("any-llm"):
    from any_llm import AnyLLM
    from any_llm.exceptions import AnyLLMError
    from any_llm.types.completion import ChatCompletionChunk, ChoiceDelta, CompletionUsage

_FINISH_REASONS: dict[str, events.FinishReason] = {
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
}


def any_llm_agent(llm: AnyLLM, model: str, **options: Any) -> AgentFunction:
    """An agent function that asks a model of one of any-llm's providers::

        cohere = AnyLLM.create("cohere", unified_exceptions=True)
        backend.agent("command")(any_llm_agent(cohere, "command-a-03-2025"))

    Calls of ``tools`` among the options are told, and made by whoever reads of them.

    :param options: more for ``llm.acompletion``; ``temperature`` and ``max_tokens`` give way to what was asked for.
    """

    async def answer(ask: Ask) -> AsyncIterator[Piece]:
        reading = _Reading()
        asked = {"stream_options": {"include_usage": True}, **options, **_asked(ask)}
        try:
            with model_refusals():
                chunks: Any = await llm.acompletion(model, stream=True, **asked)
                async with aclosing(chunks):
                    async for chunk in chunks:
                        for piece in reading.pieces(chunk):
                            yield piece
        except AnyLLMError as error:
            raise UpstreamFailure(Code.upstream_error, detail=repr(error)) from error
        yield reading.finish()

    return answer


def _asked(ask: Ask) -> dict[str, Any]:
    """The conversation and the parameters in the words of chat completions, which are any-llm's own."""
    asked = {"messages": rows(ask.messages), "temperature": ask.temperature, "max_tokens": ask.max_tokens}
    return {name: value for name, value in asked.items() if value is not None}


class _Reading:
    """One answer as it is read."""

    def __init__(self) -> None:
        self._calls = Calls()
        self._open: dict[int, str] = {}
        self._reason: str | None = None
        self._usage: events.Usage | None = None
        self._model: str | None = None

    def pieces(self, chunk: ChatCompletionChunk) -> list[Piece]:
        """What a chunk says."""
        self._model = chunk.model or self._model
        if chunk.usage is not None:
            self._usage = _usage(chunk.usage)
        if not chunk.choices:
            return []
        choice = chunk.choices[0]
        self._reason = choice.finish_reason or self._reason
        return self._said(choice.delta)

    def finish(self) -> Finish:
        """How it ends. Raises :class:`UpstreamFailure` where it broke off."""
        if self._reason is None:
            raise UpstreamFailure(Code.upstream_truncated)
        reason = "tool_calls" if self._calls.waiting else _FINISH_REASONS.get(self._reason, "stop")
        return Finish(reason, self._usage, self._model)

    def _said(self, delta: ChoiceDelta) -> list[Piece]:
        said: list[Piece] = []
        if delta.reasoning is not None:
            said.append(Reasoning(delta.reasoning.content))
        if delta.content:
            said.append(delta.content)
        for fragment in delta.tool_calls or ():
            function = fragment.function
            if function is not None and function.name:
                call_id = self._calls.begin(fragment.id or f"call-{fragment.index}")
                self._open[fragment.index] = call_id
                said.append(events.ToolCallStart(call_id, function.name, ""))
            if function is not None and function.arguments and fragment.index in self._open:
                said.append(events.ToolCallArgs(self._open[fragment.index], function.arguments))
        return said


def _usage(used: CompletionUsage) -> events.Usage:
    prompt, completion = used.prompt_tokens_details, used.completion_tokens_details
    return events.Usage(
        prompt_tokens=used.prompt_tokens,
        completion_tokens=used.completion_tokens,
        total_tokens=used.total_tokens,
        cached_tokens=prompt.cached_tokens if prompt else None,
        reasoning_tokens=completion.reasoning_tokens if completion else None,
    )

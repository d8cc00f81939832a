"""A chat model of LangChain's that asks over HTTP, by the official client."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from openai import AsyncOpenAI


class OpenAIModel(BaseChatModel):
    """It streams text, reasoning, tool calls and usage, and keeps what it was given."""

    client: Any
    given: list[list[BaseMessage]] = []  # noqa: RUF012 -- pydantic copies it

    @classmethod
    def of(cls, client: AsyncOpenAI) -> "OpenAIModel":
        return cls(client=client)

    @property
    def _llm_type(self) -> str:
        return "openai-model"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    def bind_tools(self, tools: Sequence[BaseTool], **_: Any) -> Runnable[Any, Any]:  # type: ignore[override]
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools])

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **options: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        self.given.append(messages)
        asked = {name: options[name] for name in ("tools",) if name in options}
        stream = await self.client.chat.completions.create(
            model="any",
            messages=convert_to_openai_messages(messages),
            stream=True,
            stream_options={"include_usage": True},
            **asked,
        )
        async with stream:
            async for chunk in stream:
                yield ChatGenerationChunk(message=_message(chunk))


def _message(chunk: Any) -> AIMessageChunk:
    usage: Any = chunk.usage and {
        "input_tokens": chunk.usage.prompt_tokens,
        "output_tokens": chunk.usage.completion_tokens,
        "total_tokens": chunk.usage.total_tokens,
    }
    if not chunk.choices:
        return AIMessageChunk(content="", usage_metadata=usage)
    choice = chunk.choices[0]
    reasoning = getattr(choice.delta, "reasoning_content", None)
    return AIMessageChunk(
        content=choice.delta.content or "",
        additional_kwargs={"reasoning_content": reasoning} if reasoning else {},
        response_metadata={"finish_reason": choice.finish_reason} if choice.finish_reason else {},
        usage_metadata=usage,
        tool_call_chunks=[
            tool_call_chunk(name=call.function.name, args=call.function.arguments, id=call.id, index=call.index)
            for call in choice.delta.tool_calls or ()
        ],
    )

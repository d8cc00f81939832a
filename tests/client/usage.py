"""How a typed program uses the client. mypy reads it (``warn_unused_ignores`` makes each refusal a promise, too);
nothing runs it."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, assert_type

from tokenwire.client import (
    AbortController,
    AbortSignal,
    ChatClient,
    Chunk,
    ConnectionAdapter,
    ConnectionStatus,
    FetchOptions,
    FetchRequest,
    FetchResponse,
    Interrupt,
    QueuedMessage,
    QueuePolicy,
    RaisClient,
    RaisMessage,
    Reconnect,
    RunContext,
    Snapshot,
    SyncChatClient,
    TextPart,
    ToolCallPart,
    UIMessage,
    WebSocketOptions,
    ask,
    ask_sync,
    cancel_run,
    fetch,
    fetch_http_stream,
    fetch_rais,
    fetch_server_sent_events,
    rais_web_socket,
    retrying,
    stream,
    tool,
    web_socket,
)

URL = "http://127.0.0.1:8000/api/chat"


async def one_question() -> None:
    async for delta in ask(URL, "Hello", wire="rais", model="fast", headers={"A": "b"}):
        assert_type(delta, str)
    for delta in ask_sync(URL, "Hello", messages=[{"role": "user", "content": "Hi"}], body={"temperature": 0.5}):
        assert_type(delta, str)
    ask(URL, "Hello", wire="smoke")  # type: ignore[arg-type]
    ask_sync(URL, "Hello", modle="fast")  # type: ignore[call-arg]
    await cancel_run(URL, "run-1")


async def options() -> FetchOptions:
    return FetchOptions(headers=[("A", "b"), ("A", "c")], body={"model": "fast"}, fetch_client=logged)


@asynccontextmanager
async def logged(request: FetchRequest) -> AsyncIterator[FetchResponse]:
    async with fetch(request) as response:
        assert_type(response.status, int)
        yield response


def connections(controller: AbortController) -> list[ConnectionAdapter]:
    return [
        fetch_server_sent_events(URL),
        fetch_server_sent_events(lambda: URL, options),
        fetch_server_sent_events(URL, {"headers": {"A": "b"}, "credentials": "include"}),
        fetch_http_stream(URL, lambda: FetchOptions(signal=controller.signal, reconnect=Reconnect(max_attempts=1))),
        fetch_rais(URL),
        rais_web_socket(URL),
        web_socket(URL, WebSocketOptions(protocols=["chat"])),
        retrying(fetch_http_stream(URL), max_attempts=2),
        stream(scripted),
        Pull(),
        Push(),
        object(),  # type: ignore[list-item]
    ]


async def scripted(messages: Sequence[UIMessage]) -> AsyncGenerator[Chunk, None]:
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": "1", "delta": messages[-1].text}


class Pull:
    async def connect(
        self,
        messages: Sequence[UIMessage | Mapping[str, Any]],
        data: Mapping[str, Any] | None = None,
        abort_signal: AbortSignal | None = None,
        run_context: RunContext | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        yield {"type": "CUSTOM", "value": [messages, data, abort_signal, run_context]}


class Push:
    async def subscribe(self, abort_signal: AbortSignal | None = None) -> AsyncGenerator[Chunk, None]:
        yield {"type": "CUSTOM", "value": abort_signal}

    async def send(
        self,
        messages: Sequence[UIMessage | Mapping[str, Any]],
        data: Mapping[str, Any] | None = None,
        abort_signal: AbortSignal | None = None,
        run_context: RunContext | None = None,
    ) -> None: ...


@tool
def temperature(city: str, *, unit: str = "C") -> float:
    """The temperature in a city."""
    return 21.5


async def told(message: UIMessage) -> None:
    assert_type(message.text, str)


async def a_chat(connection: ConnectionAdapter) -> None:
    chunks: list[Chunk] = []
    async with ChatClient(
        connection,
        dialect="legacy",
        tools=[temperature, lambda city: {"city": city}],
        queue=QueuePolicy(when_busy="interrupt"),
        on_chunk=chunks.append,
        on_finish=told,
    ) as chat:
        await chat.send_message("Hello", {"model": "fast"}, when_busy="drop")
        await chat.append({"role": "user", "content": "Hello"})
        assert_type(chat.messages, list[UIMessage])
        assert_type(chat.error, Exception | None)
        assert_type(chat.queue, list[QueuedMessage])
        for part in chat.messages[-1].parts:
            match part:
                case TextPart():
                    assert_type(part.content, str)
                case ToolCallPart():
                    assert_type(part.name, str)
        async for snapshot in chat.snapshots():
            assert_type(snapshot, Snapshot)
        await chat.resolve_interrupts(True)
        await chat.resolve_interrupts(lambda each: each.approve() if each.kind == "approval" else each.deny())
        chat.subscribe()
        chat.update_options(connection=connection, on_finish=told, on_run_id_change=print, on_chunk=None)
        assert_type(chat.connection_status, ConnectionStatus)
        chat.update_options(on_finnish=told)  # type: ignore[call-arg]
        chat.send_message(5)  # type: ignore[arg-type, unused-coroutine]
    ChatClient(connection, on_finish=lambda: None)  # type: ignore[arg-type, misc]


def a_chat_without_awaiting(connection: ConnectionAdapter) -> None:
    with ChatClient(connection).sync() as chat:
        assert_type(chat, SyncChatClient)
        assert_type(chat.messages, list[UIMessage])
        assert_type(chat.is_loading, bool)
        assert_type(chat.interrupts, list[Interrupt])
        assert_type(chat.cancel_queued("queued-1"), bool)
        chat.send_message("Hello", {"model": "fast"})
        chat.subscribe()
        chat.update_options(connection=connection, on_finish=told, on_run_id_change=print, on_chunk=None)
        assert_type(chat.connection_status, ConnectionStatus)
        chat.update_options(on_finnish=told)  # type: ignore[call-arg]
        chat.send_message(5)  # type: ignore[arg-type]
        chat.add_tool_result("call-1", 21.5, error=None)
        for snapshot in chat.stream_message("Hello"):
            assert_type(snapshot, Snapshot)


async def token() -> dict[str, str]:
    return {"Authorization": "Bearer a"}


async def a_rais_chat() -> None:
    def on_complete(message: RaisMessage) -> None:
        assert_type(message.content, str)

    async with RaisClient(URL, headers=token, body={"persona": "p"}, transport="ws", on_complete=on_complete) as chat:
        await chat.send_message("Hello")
        assert_type(chat.messages, list[RaisMessage])
        assert_type(chat.error, str | None)
        chat.headers = {"Authorization": "Bearer b"}
        chat.stop()
        chat.clear_messages()
    RaisClient(URL, transport="http")  # type: ignore[arg-type]

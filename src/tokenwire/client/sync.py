"""The client for code that does not await: scripts, notebooks, other threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from contextlib import aclosing
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from ..loop_thread import LoopThread
from .chat import ChatClient
from .queue import Content
from .state import Snapshot

P = ParamSpec("P")
T = TypeVar("T")


def synchronous(function: Callable[P, AsyncGenerator[T, None]]) -> Callable[P, Generator[T, None, None]]:
    """An async generator function as an ordinary one. Each iteration has a thread with an event loop for itself."""

    @wraps(function)
    def generate(*args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        thread = LoopThread(function.__name__)
        try:
            yield from thread.iterate(function(*args, **kwargs))
        finally:
            thread.close()

    return generate


def _awaited(
    method: Callable[Concatenate[ChatClient, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SyncChatClient, P], T]:
    @wraps(method)
    def run(self: SyncChatClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._thread.run(method(self.client, *args, **kwargs))

    return run


def _called(method: Callable[Concatenate[ChatClient, P], T]) -> Callable[Concatenate[SyncChatClient, P], T]:
    @wraps(method)
    def call(self: SyncChatClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._thread.call(lambda: method(self.client, *args, **kwargs))

    return call


def _iterated(
    method: Callable[Concatenate[ChatClient, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[SyncChatClient, P], Generator[T, None, None]]:
    @wraps(method)
    def iterate(self: SyncChatClient, /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        return self._thread.iterate(method(self.client, *args, **kwargs))

    return iterate


class _Read(Generic[T]):
    """A property of the client."""

    def __init__(self, read: Callable[[ChatClient], T]) -> None:
        self._read = read

    @overload
    def __get__(self, chat: None, owner: type[SyncChatClient]) -> Self: ...
    @overload
    def __get__(self, chat: SyncChatClient, owner: type[SyncChatClient]) -> T: ...
    def __get__(self, chat: SyncChatClient | None, owner: type[SyncChatClient]) -> Self | T:
        return self if chat is None else chat._thread.call(lambda: self._read(chat.client))


async def _stream_message(
    client: ChatClient, content: Content, body: Mapping[str, Any] | None = None
) -> AsyncGenerator[Snapshot, None]:
    """Sends what the user says, and yields all that is shown, after changes, until the answer is over.

    Leaving the iteration stops the answer.
    """
    shown: Snapshot | None = None
    sending = asyncio.create_task(client.send_message(content, body))
    try:
        async with aclosing(client.snapshots()) as snapshots:
            while not sending.done():
                change = asyncio.ensure_future(anext(snapshots))
                try:
                    await asyncio.wait([sending, change], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    change.cancel()
                    await asyncio.wait([change])
                if not change.cancelled():
                    yield (shown := change.result())
        await sending
        async with aclosing(client.snapshots()) as snapshots:
            last = await anext(snapshots)
            if last != shown:
                yield last
    finally:
        sending.cancel()
        await asyncio.wait([sending])


class SyncChatClient:
    """What ``ChatClient.sync()`` gives: the same chat, but its methods block.

    The client runs in a thread with an event loop of its own, so this works where another loop runs, as in a notebook.
    **Callbacks and tools are called in that thread.** They may look at this object and call what does not wait
    (``stop``); to send, an async callback uses ``client``. Ctrl-C stops the answer that is waited for.

    Any thread may use it. ``with``, or :meth:`close`, ends it.
    """

    def __init__(self, client: ChatClient) -> None:
        self.client = client
        """The asynchronous client. It belongs to the thread."""
        self._thread = LoopThread("tokenwire chat")

    thread_id = _Read(lambda chat: chat.thread_id)
    messages = _Read(lambda chat: chat.messages)
    status = _Read(lambda chat: chat.status)
    is_loading = _Read(lambda chat: chat.is_loading)
    error = _Read(lambda chat: chat.error)
    queue = _Read(lambda chat: chat.queue)
    interrupts = _Read(lambda chat: chat.interrupts)
    resuming = _Read(lambda chat: chat.resuming)
    current_run_id = _Read(lambda chat: chat.current_run_id)
    is_subscribed = _Read(lambda chat: chat.is_subscribed)
    connection_status = _Read(lambda chat: chat.connection_status)
    session_generating = _Read(lambda chat: chat.session_generating)

    send_message = _awaited(ChatClient.send_message)
    stream_message = _iterated(_stream_message)
    append = _awaited(ChatClient.append)
    reload = _awaited(ChatClient.reload)
    stop = _called(ChatClient.stop)
    clear = _called(ChatClient.clear)
    set_messages = _called(ChatClient.set_messages)
    cancel_queued = _called(ChatClient.cancel_queued)
    add_tool_result = _awaited(ChatClient.add_tool_result)
    add_tool_approval_response = _awaited(ChatClient.add_tool_approval_response)
    resolve_interrupts = _awaited(ChatClient.resolve_interrupts)
    cancel_interrupts = _awaited(ChatClient.cancel_interrupts)
    subscribe = _called(ChatClient.subscribe)
    unsubscribe = _called(ChatClient.unsubscribe)
    update_options = _called(ChatClient.update_options)
    attach = _awaited(ChatClient.attach)
    detach = _called(ChatClient.detach)
    snapshots = _iterated(ChatClient.snapshots)

    def close(self) -> None:
        """Stops what is under way, waits until nothing is left of it, and ends the thread. May be called twice."""
        if self._thread.is_open:
            try:
                self._thread.run(self.client.aclose())
            finally:
                self._thread.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

"""How a chat reaches its server: the two kinds of adapter, and the one the chat sees.

docs/wires/tanstack.md 7.3. An adapter is any object with ``connect``, or with ``subscribe`` and ``send``.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from ..wire.reading import Chunk, is_terminal
from .abort import Aborted, interruptible
from .messages import Dialect, UIMessage, new_id
from .pipe import Pipe

if TYPE_CHECKING:
    from .abort import AbortSignal

Messages = Sequence[UIMessage | Mapping[str, Any]]
"""A conversation: the chat's messages, or plain ``{"role": …, "content": …}``."""
Data = Mapping[str, Any]
T = TypeVar("T")

_NOT_BOTH = "Connection adapter must provide either connect or both subscribe and send, not both modes"
_NOT_HALF = "Connection adapter must provide either connect or both subscribe and send"
_NOTHING = "Connection adapter is required"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What an adapter is told of a run beside its messages. Without one the built-in adapters make one up."""

    thread_id: str = field(default_factory=lambda: new_id("thread"))
    run_id: str = field(default_factory=lambda: new_id("run"))
    parent_run_id: str | None = None
    resume: Sequence[Mapping[str, Any]] | None = None
    """The answers to the interrupts of ``parent_run_id``."""
    client_tools: Sequence[Mapping[str, Any]] = ()
    """``{"name", "description", "parameters"}`` of each."""
    forwarded_props: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect = "new"
    """The generation whose requests the server understands."""


@dataclass(frozen=True, slots=True)
class Hydration:
    """What a server keeps of a thread (docs/wires/tanstack.md 5.6)."""

    messages: list[dict[str, Any]]
    active_run: str | None = None
    """The run that is still under way."""
    interrupted_run: str | None = None
    """The run that waits for answers to ``interrupts``."""
    interrupts: list[dict[str, Any]] = field(default_factory=list)
    cursor: str | None = None
    """What to ask for as ``before`` to get older messages, when there are any."""


@runtime_checkable
class ConnectConnectionAdapter(Protocol):
    """One request, one stream: ``connect`` is called for each run. It may be an async generator function."""

    def connect(
        self,
        messages: Messages,
        data: Data | None = None,
        abort_signal: AbortSignal | None = None,
        run_context: RunContext | None = None,
    ) -> AsyncIterable[Chunk]:
        """The run's events. The stream ends where the answer does."""


@runtime_checkable
class SubscribeConnectionAdapter(Protocol):
    """One long stream for all runs: ``subscribe`` is called once, ``send`` for each run."""

    def subscribe(self, abort_signal: AbortSignal | None = None) -> AsyncIterable[Chunk]:
        """Everything the server sends, until the signal is aborted."""

    async def send(
        self,
        messages: Messages,
        data: Data | None = None,
        abort_signal: AbortSignal | None = None,
        run_context: RunContext | None = None,
    ) -> None:
        """Asks. What comes of it comes through ``subscribe``."""


@runtime_checkable
class JoinableAdapter(Protocol):
    """An adapter that finds runs again."""

    def join_run(self, run_id: str, abort_signal: AbortSignal | None = None) -> AsyncIterable[Chunk]:
        """A run's events from its start, then those to come, until it ends."""


@runtime_checkable
class HydratingAdapter(Protocol):
    """An adapter whose server keeps transcripts."""

    async def hydrate(self, thread_id: str, *, limit: int | None = None, before: str | None = None) -> Hydration:
        """A thread's transcript: all of it, or the ``limit`` messages ``before`` a cursor."""


ConnectionAdapter = ConnectConnectionAdapter | SubscribeConnectionAdapter
JoinRun = Callable[..., AsyncIterable[Chunk]]
Hydrate = Callable[..., Awaitable[Hydration]]


@dataclass(frozen=True, slots=True)
class Connection:
    """An adapter of either kind as the chat uses it; what the adapter cannot do is ``None``."""

    subscribe: Callable[[AbortSignal | None], AsyncIterable[Chunk]]
    send: Callable[[Messages, Data | None, AbortSignal | None, RunContext | None], Coroutine[Any, Any, None]]
    join_run: JoinRun | None = None
    hydrate: Hydrate | None = None


class RunChunk(dict[str, Any]):
    """An event that knows the request it answers, which most events do not say themselves.

    One that was made up because the request failed knows the ``failure``, too.
    """

    __slots__ = ("failure", "request_run_id")

    def __init__(self, chunk: Chunk, request_run_id: str, failure: Exception | None = None) -> None:
        super().__init__(chunk)
        self.request_run_id = request_run_id
        self.failure = failure


def chunk_run_id(chunk: Chunk) -> str | None:
    """The run that an event belongs to: that of the request, where it is known, else the one it names."""
    if isinstance(chunk, RunChunk):
        return chunk.request_run_id
    run_id = chunk.get("runId")
    return run_id if isinstance(run_id, str) else None


def chunk_failure(chunk: Chunk) -> Exception | None:
    """The error that an event was made up for."""
    return chunk.failure if isinstance(chunk, RunChunk) else None


def normalize(adapter: ConnectionAdapter | None) -> Connection:
    """The connection that an adapter of either kind provides.

    Raises :class:`ValueError`, in the words of the JavaScript clients, for an adapter that is missing, half or both.
    """
    if adapter is None:
        raise ValueError(_NOTHING)
    join_run = adapter.join_run if isinstance(adapter, JoinableAdapter) else None
    hydrate = adapter.hydrate if isinstance(adapter, HydratingAdapter) else None
    if isinstance(adapter, ConnectConnectionAdapter):
        if hasattr(adapter, "subscribe") or hasattr(adapter, "send"):
            raise ValueError(_NOT_BOTH)
        queued = _Queued(adapter)
        return Connection(queued.subscribe, queued.send, join_run, hydrate)
    if isinstance(adapter, SubscribeConnectionAdapter):
        send, subscribe = partial(call_with, adapter.send), adapter.subscribe
        return Connection(lambda signal: chunks_of(call_with(subscribe, signal), signal), send, join_run, hydrate)
    raise ValueError(_NOT_HALF)


class _Queued:
    """Connect mode as subscribe and send. Only the latest subscriber receives."""

    def __init__(self, adapter: ConnectConnectionAdapter) -> None:
        self._adapter = adapter
        self._pipe: Pipe[Chunk] = Pipe()

    def subscribe(self, abort_signal: AbortSignal | None = None) -> AsyncIterator[Chunk]:
        """See :class:`SubscribeConnectionAdapter`. What nobody took yet goes to the new subscriber."""
        former, self._pipe = self._pipe, Pipe(abort_signal)
        self._pipe.take_over(former)
        return self._pipe

    async def send(
        self,
        messages: Messages,
        data: Data | None = None,
        abort_signal: AbortSignal | None = None,
        run_context: RunContext | None = None,
    ) -> None:
        """Returns, or raises, once the subscriber has dealt with the last event of the stream.

        A stream that ends without a terminal event gets one. One that fails gets an error event, which knows the error
        that is raised then.
        """
        context = run_context or RunContext()
        run = _Observed(context)
        try:
            stream = call_with(self._adapter.connect, messages, data, abort_signal, context)
            async with aclosing(chunks_of(stream, abort_signal)) as chunks:
                async for chunk in chunks:
                    run.observe(chunk)
                    self._pipe.push(RunChunk(chunk, context.run_id))
        except Exception as error:
            if not _is_aborted(abort_signal) and not run.ended:
                self._pipe.push(RunChunk(run.failure(str(error)), context.run_id, error))
            await self._pipe.taken(abort_signal)
            raise
        if not _is_aborted(abort_signal) and not run.ended:
            self._pipe.push(RunChunk(run.finish(), context.run_id))
        await self._pipe.taken(abort_signal)


class _Observed:
    """What a stream says of its run, for the terminal event it may owe."""

    def __init__(self, context: RunContext) -> None:
        self.ended = False
        self._legacy = context.dialect == "legacy"
        self._thread_id = context.thread_id
        self._run_id = context.run_id

    def observe(self, chunk: Chunk) -> None:
        """Remembers ids and the end."""
        if isinstance(chunk.get("threadId"), str):
            self._thread_id = chunk["threadId"]
        if isinstance(chunk.get("runId"), str):
            self._run_id = chunk["runId"]
        self.ended = self.ended or is_terminal(chunk)

    def finish(self) -> Chunk:
        """The event for a stream that just ended."""
        if self._legacy:
            ids = {"runId": f"run-{_now()}", "model": "connect-wrapper"}
            return {"type": "RUN_FINISHED", **ids, "timestamp": _now(), "finishReason": "stop"}
        said = {"tanstack": {"finishReason": "stop", "model": "connect-wrapper"}}
        return {**self._terminal("RUN_FINISHED"), "metadata": said}

    def failure(self, message: str) -> Chunk:
        """The event for a stream that failed."""
        if self._legacy:
            return {"type": "RUN_ERROR", "timestamp": _now(), "error": {"message": message}}
        return {**self._terminal("RUN_ERROR"), "message": message}

    def _terminal(self, kind: str) -> Chunk:
        return {"type": kind, "threadId": self._thread_id, "runId": self._run_id, "timestamp": _now()}


async def chunks_of(
    stream: AsyncIterable[Chunk] | Awaitable[AsyncIterable[Chunk]], abort_signal: AbortSignal | None
) -> AsyncGenerator[Chunk, None]:
    """Any stream as one that can be closed, and that ends when the signal is aborted, whoever made it."""
    try:
        if isinstance(stream, Awaitable):
            with interruptible(abort_signal):
                stream = await stream
        chunks = aiter(stream)
        try:
            while True:
                with interruptible(abort_signal):
                    try:
                        chunk = await anext(chunks)
                    except StopAsyncIteration:
                        return
                yield chunk
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
    except Aborted:
        return


def call_with(function: Callable[..., T], *arguments: object) -> T:
    """Calls a function with as many of the arguments as it takes: most adapters have no use for the last ones."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return function(*arguments)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return function(*arguments[: sum(parameter.kind in positional for parameter in parameters)])


def _is_aborted(signal: AbortSignal | None) -> bool:
    return signal is not None and signal.aborted


def _now() -> int:
    return time.time_ns() // 1_000_000

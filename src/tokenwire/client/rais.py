"""The twin of react-ai-stream's ``useAIChat`` (docs/wires/rais.md 12)."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Any, Literal, Self

import msgspec

from .abort import AbortController
from .errors import ClientError, HttpError, RunFailed
from .http import Url
from .options import FetchOptions, Headers, Provided, WebSocketOptions, provided
from .rais_connection import RaisAdapter, RaisSocketAdapter, fetch_rais, rais_web_socket

_NO_BODY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RaisMessage:
    """One message. Immutable: while an answer grows, another one takes its place."""

    role: Literal["user", "assistant"]
    content: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class RaisClient:
    """One conversation with a server that speaks RAIS v1.

    :param endpoint: the server's URL, or a function that is asked for it on each send.
    :param headers: a value, or a sync or async function, read on each send: a token that rotates stays fresh.
    :param body: fields that go beside ``messages`` (``persona``, ``temperature`` …); read as ``headers`` are.
    :param transport: ``sse`` or ``ws``.
    :param on_token: called with each piece of text.
    :param on_complete: called with the message once the answer is whole; not after a stop or an error.
    :param on_error: called with the :class:`ClientError` that an answer failed of.

    Callbacks may be sync or async, and are waited for, by :meth:`aclose` too. The last two come when ``loading`` is
    over, so they may send the next message. ``async with`` closes the client; it belongs to the event loop it is used
    in.
    """

    def __init__(
        self,
        endpoint: Url,
        *,
        headers: Provided[Headers] = (),
        body: Provided[Mapping[str, Any]] = _NO_BODY,
        transport: Literal["sse", "ws"] = "sse",
        on_token: Callable[[str], Awaitable[None] | None] | None = None,
        on_complete: Callable[[RaisMessage], Awaitable[None] | None] | None = None,
        on_error: Callable[[ClientError], Awaitable[None] | None] | None = None,
    ) -> None:
        if transport not in ("sse", "ws"):
            raise ValueError(f"Invalid transport: {transport}. It is sse or ws.")
        self.headers = headers
        self.body = body
        self._on_token = on_token
        self._on_complete = on_complete
        self._on_error = on_error
        self._adapter: RaisAdapter | RaisSocketAdapter = (
            fetch_rais(endpoint, self._fetch_options)
            if transport == "sse"
            else rais_web_socket(endpoint, self._socket_options)
        )
        self._messages: list[RaisMessage] = []
        self._error: str | None = None
        self._turn: _Turn | None = None
        self._under_way: set[_Turn] = set()

    @property
    def messages(self) -> list[RaisMessage]:
        """The conversation; the list is the caller's."""
        return list(self._messages)

    @property
    def loading(self) -> bool:
        """Whether an answer is under way."""
        return self._turn is not None

    @property
    def error(self) -> str | None:
        """What the last answer failed of, as it may be shown; ``None`` again from the next send on."""
        return self._error

    async def send_message(self, content: str) -> None:
        """Sends what the user says, and returns when the answer is over. While one is under way it does nothing.

        What the server or the network does wrong is told by ``error`` and ``on_error``, and what has come of the
        answer stays. An answer that just breaks off is an error. Raised is only what the caller's own functions raise.
        Cancelling the task stops the answer.
        """
        if self.loading:
            return
        question, answer = RaisMessage("user", content), RaisMessage("assistant", "")
        rows = [{"role": message.role, "content": message.content} for message in (*self._messages, question)]
        self._messages += [question, answer]
        self._error = None
        turn = self._turn = _Turn(answer, asyncio.current_task())
        self._under_way.add(turn)
        try:
            await self._read(turn, rows)
            if turn.controller.signal.aborted:
                return
            if turn.failure is not None:
                await _tell(self._on_error, turn.failure)
            elif turn.answer.content:
                await _tell(self._on_complete, turn.answer)
        finally:
            self._under_way.discard(turn)
            turn.over.set()

    def stop(self) -> None:
        """Stops the answer. What has come of it stays, and it is no error."""
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.controller.abort()

    def clear_messages(self) -> None:
        """Forgets the messages and the error. An answer under way is not stopped, and not shown any more."""
        self._messages.clear()
        self._error = None

    async def aclose(self) -> None:
        """Stops the answer, and returns when nothing is left of it."""
        self.stop()
        for turn in list(self._under_way):
            if turn.task is not asyncio.current_task():
                await turn.over.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _read(self, turn: _Turn, rows: list[dict[str, str]]) -> None:
        signal = turn.controller.signal
        try:
            async with aclosing(self._adapter.connect(rows, None, signal)) as chunks:
                async for chunk in chunks:
                    if signal.aborted:
                        return
                    if chunk["type"] == "RUN_ERROR":
                        raise RunFailed(chunk["message"])
                    if chunk["type"] == "TEXT_MESSAGE_CONTENT":
                        self._grow(turn, chunk["delta"])
                        await _tell(self._on_token, chunk["delta"])
        except ClientError as error:
            if not signal.aborted:
                turn.failure = error
                self._error = _shown(error)
        finally:
            # a stop gives the place free at once, and by now another turn may have it
            if self._turn is turn:
                self._turn = None

    def _grow(self, turn: _Turn, delta: str) -> None:
        grown = replace(turn.answer, content=turn.answer.content + delta)
        self._messages = [grown if message is turn.answer else message for message in self._messages]
        turn.answer = grown

    async def _fetch_options(self) -> FetchOptions:
        return FetchOptions(headers=await provided(self.headers), body=await provided(self.body))

    async def _socket_options(self) -> WebSocketOptions:
        return WebSocketOptions(headers=await provided(self.headers), body=await provided(self.body))


@dataclass(eq=False, slots=True)
class _Turn:
    """One answer, from the question to the end."""

    answer: RaisMessage
    task: asyncio.Task[Any] | None
    controller: AbortController = field(default_factory=AbortController)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    failure: ClientError | None = None


async def _tell(callback: Callable[..., Awaitable[None] | None] | None, *args: object) -> None:
    result = callback(*args) if callback is not None else None
    if inspect.isawaitable(result):
        await result


def _shown(error: ClientError) -> str:
    """What of an error is for the user: of a refusal what the server says, without the JSON around it (7)."""
    if not isinstance(error, HttpError):
        return str(error)
    said = error.body
    try:
        value = msgspec.json.decode(said)
    except msgspec.DecodeError:
        value = said
    for name in ("error", "message", "detail"):
        if isinstance(value, dict) and name in value:
            value = value[name]
    # a page of HTML, or JSON of another kind, is not for people
    if isinstance(value, str) and value and not value.startswith(("<", "{", "[")):
        return f"Request failed: {value}"
    return f"Request failed: {error.status} {error.reason}".rstrip()

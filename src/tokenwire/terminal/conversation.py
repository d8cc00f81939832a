"""A chat with a server, as a terminal needs it: questions, and what there is to show of the answer."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from ..client.cancel import cancel_run
from ..client.chat import ChatClient
from ..client.connection import ConnectionAdapter, RunContext
from ..client.errors import ClientError, ConnectionLostError, HttpError
from ..client.fetch import FetchRequest, FetchResponse, bare_url, fetch
from ..client.http import HttpAdapter, fetch_http_stream, fetch_server_sent_events
from ..client.options import FetchOptions, Reconnect, WebSocketOptions
from ..client.parts import Part, TextPart, ThinkingPart, ToolCallPart
from ..client.rais_answer import RaisAnswer, RaisReader
from ..client.rais_connection import fetch_rais, rais_web_socket
from ..client.web_socket import WebSocketAdapter
from ..wire.reading import Chunk, SseReader
from .endpoint import Endpoint

_RECONNECT = Reconnect(max_attempts=60, delay=0.5)
"""As long as a server keeps on with an answer that nobody reads: half a minute."""
_AWAY = (502, 503, 504)
"""What a proxy answers while the server behind it is being replaced."""


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of an answer: thoughts, text, or the name of a tool that is called."""

    kind: Literal["thinking", "text", "tool"]
    content: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What there is of an answer. More of it makes the last section longer, or adds one."""

    sections: tuple[Section, ...]
    reconnecting: bool


class Conversation:
    """One conversation. Everything that waits raises what the adapters of :mod:`tokenwire.client` raise."""

    def __init__(self, endpoint: Endpoint, headers: Mapping[str, str]) -> None:
        self._endpoint = endpoint
        self._headers = headers
        self._changed = asyncio.Event()
        self._reconnecting = False
        self._run_id: str | None = None
        self._rais: tuple[str, RaisAnswer] | None = None
        self.choices: dict[str, str] = {}
        """What is asked for beside the messages: ``model``, ``persona``."""
        self._adapter = self._connection()
        self._client = ChatClient(
            self._adapter,
            dialect="legacy" if endpoint.wire == "tanstack-legacy" else "new",
            on_chunk=self._hear,
            on_messages_change=lambda _: self._changed.set(),
        )
        self._client.forwarded_props = self.choices

    @property
    def address(self) -> str:
        """Where it is held, as it may be shown."""
        return bare_url(self._endpoint.url)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said yet."""
        return not self._client.messages

    def ask(self, text: str) -> AsyncGenerator[Answer, None]:
        """The answer to what the user says, as it grows. Closing the generator leaves the model as it is."""
        return self._follow(self._client.send_message(text))

    def reload(self) -> AsyncGenerator[Answer, None]:
        """Another answer to what was said last."""
        return self._follow(self._client.reload())

    def clear(self) -> None:
        """Forgets what was said."""
        self._client.clear()

    async def stop(self) -> None:
        """Stops the answer, and the model, as far as the server lets itself be told."""
        self._client.stop()
        if self._run_id is not None:
            with contextlib.suppress(ClientError):  # the connection is closed, and that has to do
                await cancel_run(self._endpoint.url, self._run_id, self._headers)

    async def aclose(self) -> None:
        """Lets go of the server."""
        await self._client.aclose()

    async def _follow(self, request: Coroutine[None, None, None]) -> AsyncGenerator[Answer, None]:
        self._run_id, self._reconnecting = None, False
        self._changed.clear()
        task = asyncio.ensure_future(request)
        task.add_done_callback(lambda _: self._changed.set())
        try:
            while not task.done():
                await self._changed.wait()
                self._changed.clear()
                if self._endpoint.transport == "ws" and self._endpoint.wire != "rais":
                    self._run_id = self._client.current_run_id or self._run_id
                yield self._answer()
            task.result()
            if self._client.error is not None:
                raise self._client.error
            if self._client.interrupts:
                raise ClientError("The server waits for an approval, which cannot be given here.")
        finally:
            self._client.stop()
            await asyncio.wait([task])
            if isinstance(self._adapter, WebSocketAdapter):
                # nobody answers the server's pings while the terminal waits for a line
                await self._adapter.aclose()

    def _answer(self) -> Answer:
        sections: list[Section] = []
        for message in reversed(self._client.messages):
            if message.role == "user":
                break
            sections[:0] = [section for part in message.parts if (section := _section(part)) is not None]
        return Answer(tuple(sections), self._reconnecting)

    def _connection(self) -> ConnectionAdapter:
        url, wire, transport = self._endpoint.url, self._endpoint.wire, self._endpoint.transport
        fetching = FetchOptions(headers=self._headers, reconnect=_RECONNECT, fetch_client=self._fetch)
        if transport == "ws":
            reconnect = replace(_RECONNECT, on_reconnect=lambda: self._tell(True))
            options = WebSocketOptions(headers=self._headers, reconnect=reconnect)
            return rais_web_socket(url, options) if wire == "rais" else WebSocketAdapter(url, options)
        if wire == "rais":
            return fetch_rais(url, fetching)
        if transport == "ndjson":
            return fetch_http_stream(url, fetching)
        return HttpAdapter(url, fetching, self._either) if wire == "auto" else fetch_server_sent_events(url, fetching)

    def _either(self, limit: int, run: RunContext) -> RaisReader:
        """A reader for a server of any wire."""
        if self._rais is None or self._rais[0] != run.run_id:
            self._rais = (run.run_id, RaisAnswer(run))
        return RaisReader(SseReader(limit, run.thread_id, run.run_id), self._rais[1])

    @asynccontextmanager
    async def _fetch(self, request: FetchRequest) -> AsyncGenerator[FetchResponse, None]:
        """A fetch client that tells of reconnects, and learns who answers."""
        sent = {name.lower(): value for name, value in request.headers.items()}
        again = "last-event-id" in sent
        self._run_id = sent.get("x-run-id", self._run_id)
        self._tell(again)
        async with fetch(request) as response:
            if again and response.status in _AWAY:
                raise ConnectionLostError("The server is away.")
            self._run_id = response.headers.get("x-run-id")
            self._tell(False)
            yield response

    def _hear(self, _: Chunk) -> None:
        if self._reconnecting:
            self._tell(False)

    def _tell(self, reconnecting: bool) -> None:
        self._reconnecting = reconnecting
        self._changed.set()


def _section(part: Part) -> Section | None:
    match part:
        case TextPart():
            return Section("text", part.content)
        case ThinkingPart():
            return Section("thinking", part.content)
        case ToolCallPart():
            return Section("tool", part.name)
        case _:
            return None


def explain(error: Exception) -> str:
    """What to tell a person of an error: what the server says of it, where it says anything."""
    if not isinstance(error, HttpError):
        return str(error) or type(error).__name__
    try:
        said = msgspec.json.decode(error.body, type=_Refused).error
    except msgspec.DecodeError:
        return f"{error}: {error.body}" if error.body else str(error)
    return said if isinstance(said, str) else said.message


class _Said(msgspec.Struct):
    message: str


class _Refused(msgspec.Struct):
    error: _Said | str

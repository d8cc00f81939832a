"""Chats over HTTP: server-sent events and NDJSON (docs/wires/tanstack.md 1 and 5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from ..wire.reading import Chunk, Event, EventReader, NdjsonReader, SseReader, printable
from .abort import interruptible
from .connection import Data, Hydration, Messages, RunContext
from .errors import ConnectionLostError, HttpError, ProtocolError
from .fetch import FetchRequest, FetchResponse, bare_url, fetch
from .messages import UIMessage, request_body
from .options import FetchOptions, Provided, provided, provided_options, request_headers
from .resume import resumable

if TYPE_CHECKING:
    from .abort import AbortSignal

_JSON = {"Content-Type": "application/json"}
_HYDRATION_BYTES = 64 * 1024 * 1024
_EXCERPT_BYTES = 2048
_EXCERPT_SECONDS = 2.0
_json = msgspec.json.Encoder()
Url = str | Callable[[], str]
Options: TypeAlias = Provided[FetchOptions | Mapping[str, Any]] | None
MakeReader = Callable[[int, RunContext], EventReader]


def fetch_server_sent_events(url: Url, options: Options = None) -> HttpAdapter:
    """Asks by POST, and reads server-sent events.

    :param url: a URL, or a function that is asked for one.
    :param options: a :class:`FetchOptions` or a mapping of its fields, or a sync or async function that is asked for
        them. Both are asked once for each run, join and hydration; a reconnect repeats the request as it was.
    """
    return HttpAdapter(url, options, lambda limit, run: SseReader(limit, run.thread_id, run.run_id))


def fetch_http_stream(url: Url, options: Options = None) -> HttpAdapter:
    """Asks by POST, and reads NDJSON: one event a line. The parameters are those of the other adapter."""
    return HttpAdapter(url, options, lambda limit, _: NdjsonReader(limit))


class HttpAdapter:
    """A connect-mode adapter over HTTP. Holds no connection between requests, and nothing to close.

    All its streams end when their signal is aborted, and close their connection at once when they are closed or
    their task is cancelled. They raise :class:`HttpError` for a refusal, :class:`ConnectionLostError` for a server
    that cannot be reached, :class:`ProtocolError` for what is no chat, and what :func:`.resume.resumable` raises.
    """

    def __init__(self, url: Url, options: Options, make_reader: MakeReader) -> None:
        self._url = url
        self._options = options
        self._make_reader = make_reader

    async def connect(
        self,
        messages: Messages,
        data: Data | None = None,
        abort_signal: AbortSignal | None = None,
        run_context: RunContext | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """The events of a new run, through any number of reconnects."""
        run = run_context or RunContext()
        url, options = await self._provided()
        rows = [message if isinstance(message, UIMessage) else UIMessage.from_dict(message) for message in messages]
        body = _json.encode(request_body(rows, data, run, run.dialect, options.body))
        identity = {} if run.dialect == "legacy" else {"X-Run-Id": run.run_id}
        headers = request_headers(_cookies(options), _JSON, options.headers, run.headers, identity)
        call = HttpCall("POST", url, headers, body, options, abort_signal or options.signal)
        async with aclosing(self._events(call, run)) as events:
            async for chunk in events:
                yield chunk

    async def join_run(self, run_id: str, abort_signal: AbortSignal | None = None) -> AsyncGenerator[Chunk, None]:
        """A run's events from its start (docs/wires/tanstack.md 5.3). An unknown run is an :class:`HttpError`."""
        url, options = await self._provided()
        target = with_query(url, {"offset": "-1", "runId": run_id})
        headers = request_headers(_cookies(options), options.headers)
        call = HttpCall("GET", target, headers, None, options, abort_signal or options.signal)
        async with aclosing(self._events(call, RunContext(thread_id="", run_id=run_id))) as events:
            async for chunk in events:
                yield chunk

    async def hydrate(self, thread_id: str, *, limit: int | None = None, before: str | None = None) -> Hydration:
        """What the server keeps of a thread (docs/wires/tanstack.md 5.6)."""
        url, options = await self._provided()
        paging = {"limit": limit, "before": before}
        query = {"threadId": thread_id} | {name: str(value) for name, value in paging.items() if value is not None}
        headers = request_headers(_cookies(options), {"Accept": "application/json"}, options.headers)
        call = HttpCall("GET", with_query(url, query), headers, None, options, options.signal)
        return read_hydration(await call.document())

    def _events(self, call: HttpCall, run: RunContext) -> AsyncGenerator[Chunk, None]:
        limits = call.options.limits
        return resumable(
            lambda offset: call.events(offset, self._make_reader(limits.event_bytes, run)),
            call.options.reconnect,
            call.signal,
        )

    async def _provided(self) -> tuple[str, FetchOptions]:
        return await provided(self._url), await provided_options(FetchOptions, self._options)


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A request that can be repeated."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    options: FetchOptions
    signal: AbortSignal | None

    async def events(self, offset: str | None, reader: EventReader) -> AsyncGenerator[Event, None]:
        """The events of one response. Raises :class:`Aborted`."""
        extra = {} if offset is None else {"Last-Event-ID": offset}
        async with self._open(extra) as response:
            while not reader.done:
                async with self._patience():
                    data = await anext(response.body, None)
                if data is None:
                    for event in reader.end():
                        yield event
                    return
                for event in reader.feed(data):
                    yield event

    async def document(self) -> object:
        """The JSON of the response. Raises :class:`Aborted`."""
        async with self._open({}) as response:
            data = bytearray()
            while len(data) <= _HYDRATION_BYTES:
                async with self._patience():
                    more = await anext(response.body, None)
                if more is None:
                    break
                data += more
            else:
                raise ProtocolError(f"The server sent a transcript of more than {_HYDRATION_BYTES} bytes.")
        try:
            return msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(f"This is no transcript: {printable(bytes(data), 60)}") from error

    @asynccontextmanager
    async def _open(self, extra: Mapping[str, str]) -> AsyncGenerator[FetchResponse, None]:
        """The response, if it is a stream."""
        limits, client = self.options.limits, self.options.fetch_client or fetch
        request = FetchRequest(
            self.method, self.url, request_headers({}, self.headers, extra), self.body, limits.connect
        )
        async with AsyncExitStack() as stack:
            async with self._patience():
                response = await stack.enter_async_context(client(request))
            if not 200 <= response.status < 300 or response.status == 204:
                raise await self._refusal(response)
            yield response

    @asynccontextmanager
    async def _patience(self) -> AsyncGenerator[None, None]:
        """Waits for something to come: as long as the limits and the signal allow."""
        seconds = self.options.limits.silence
        try:
            with interruptible(self.signal):
                async with asyncio.timeout(seconds):
                    yield
        except TimeoutError as error:
            raise ConnectionLostError(f"Nothing came from the server for {seconds:g} seconds.") from error
        except OSError as error:
            raise ConnectionLostError(f"The connection was lost: {printable(str(error), 100)}") from error

    async def _refusal(self, response: FetchResponse) -> HttpError:
        data = b""
        try:
            with interruptible(self.signal):
                async with asyncio.timeout(_EXCERPT_SECONDS):
                    while len(data) < _EXCERPT_BYTES and (more := await anext(response.body, None)) is not None:
                        data += more
        except (TimeoutError, OSError, ConnectionLostError):
            pass  # what came is enough
        seconds = response.headers.get("retry-after", "")
        return HttpError(
            response.status,
            response.reason,
            url=bare_url(self.url),
            body=printable(data, 200),
            retry_after=float(seconds) if seconds.isdecimal() else None,
        )


def with_query(url: str, values: Mapping[str, str]) -> str:
    """A URL with values in its query, in place of those of the same names."""
    parts = urlsplit(url)
    own = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in values]
    return parts._replace(query=urlencode([*own, *values.items()])).geturl()


def read_hydration(value: object) -> Hydration:
    """A transcript as a server sends it; what is missing or of another kind is nothing."""
    if value is None:
        return Hydration([])
    if not isinstance(value, dict):
        raise ProtocolError("This is JSON, but no transcript.")
    active, interrupts, page = (_dict(value.get(name)) for name in ("activeRun", "interrupts", "page"))
    messages, pending = value.get("messages"), interrupts.get("pending")
    waiting = isinstance(interrupts.get("runId"), str) and isinstance(pending, list) and bool(pending)
    return Hydration(
        messages=messages if isinstance(messages, list) else [],
        active_run=active["runId"] if isinstance(active.get("runId"), str) else None,
        interrupted_run=interrupts["runId"] if waiting else None,
        interrupts=pending if waiting and isinstance(pending, list) else [],
        cursor=(page.get("cursor") or None) if page.get("truncated") is True else None,
    )


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _cookies(options: FetchOptions) -> Mapping[str, str]:
    return {} if options.credentials == "omit" else options.cookies

"""How a chat reaches a server that speaks RAIS v1 (docs/wires/rais.md)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from ..wire.reading import Chunk, Event, SseReader, is_terminal
from .abort import Aborted, interruptible
from .connection import Data, Messages, RunContext
from .errors import DurableStreamIncompleteError, HttpError, TruncatedStreamError
from .event_socket import open_socket
from .http import HttpCall, Options, Url
from .options import FetchOptions, Provided, WebSocketOptions, provided, provided_options, request_headers
from .rais_answer import RaisAnswer, RaisReader, rais_body
from .resume import resumable

if TYPE_CHECKING:
    from .abort import AbortSignal

SocketOptions = Provided[WebSocketOptions | Mapping[str, Any]] | None
_json = msgspec.json.Encoder()


def fetch_rais(url: Url, options: Options = None) -> RaisAdapter:
    """Asks by POST as ``useAIChat`` does, and reads RAIS events.

    The parameters are those of :func:`.http.fetch_server_sent_events`. A lost stream is taken up again where the
    server names its events in a way that tells one answer from another (9), and is a :class:`TruncatedStreamError`
    elsewhere.
    """
    return RaisAdapter(url, options)


def rais_web_socket(url: Url, options: SocketOptions = None) -> RaisSocketAdapter:
    """Asks on a WebSocket that is opened for each answer (11). Headers go along, which browsers do not send there.

    The parameters are those of :func:`.web_socket.web_socket`.
    """
    return RaisSocketAdapter(url, options)


class RaisAdapter:
    """A connect-mode adapter over HTTP. Raises what :class:`.http.HttpAdapter` raises."""

    def __init__(self, url: Url, options: Options) -> None:
        self._url = url
        self._options = options

    async def connect(
        self,
        messages: Messages,
        data: Data | None = None,
        abort_signal: AbortSignal | None = None,
        run_context: RunContext | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """The text of an answer and its end, as events of a chat."""
        run = run_context or RunContext()
        url, options = await provided(self._url), await provided_options(FetchOptions, self._options)
        cookies = {} if options.credentials == "omit" else options.cookies
        headers = request_headers(cookies, {"Content-Type": "application/json"}, options.headers, run.headers)
        body = _json.encode(rais_body(messages, data, run, options.body))
        call = HttpCall("POST", url, headers, body, options, abort_signal or options.signal)
        answer = RaisAnswer(run)

        async def stream(offset: str | None) -> AsyncGenerator[Event, None]:
            reader = RaisReader(SseReader(options.limits.event_bytes), answer)
            try:
                async with aclosing(call.events(offset, reader)) as events:
                    async for event in events:
                        yield event
            except HttpError as error:
                if offset is not None and error.status == 204:
                    raise DurableStreamIncompleteError from error
                raise

        async with aclosing(resumable(stream, options.reconnect, call.signal)) as chunks:
            async for chunk in chunks:
                yield chunk


class RaisSocketAdapter:
    """A connect-mode adapter over WebSockets."""

    def __init__(self, url: Url, options: SocketOptions) -> None:
        self._url = url
        self._options = options

    async def connect(
        self,
        messages: Messages,
        data: Data | None = None,
        abort_signal: AbortSignal | None = None,
        run_context: RunContext | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """The text of an answer and its end, as events of a chat.

        Raises :class:`HttpError` where there is no socket, :class:`ConnectionLostError` there and after silence,
        :class:`TruncatedStreamError` where it is closed before the end, and :class:`ProtocolError`.
        """
        run = run_context or RunContext()
        url, options = await provided(self._url), await provided_options(WebSocketOptions, self._options)
        frame = _json.encode(rais_body(messages, data, run, options.body)).decode()
        answer = RaisAnswer(run)
        try:
            async with AsyncExitStack() as stack:
                with interruptible(abort_signal):
                    socket = await stack.enter_async_context(open_socket(url, options))
                    await socket.send(frame)
                while True:
                    with interruptible(abort_signal):
                        event = await socket.receive()
                    if event is None:
                        raise TruncatedStreamError
                    chunk = answer.chunk(event.chunk)
                    if chunk is not None:
                        yield chunk
                        if is_terminal(chunk):
                            return
        except Aborted:
            return

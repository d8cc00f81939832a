"""Chats over one WebSocket (docs/wires/tanstack.md 1.7, 4 and 5.5)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from ..wire.reading import Chunk, Event
from .abort import DETACHED, Aborted, interruptible
from .connection import Data, Messages, RunContext
from .errors import ClientError, ConnectionLostError, HttpError, TruncatedStreamError
from .event_socket import EventSocket, open_socket
from .http import Url, with_query
from .messages import UIMessage, request_body
from .options import Provided, WebSocketOptions, provided, provided_options
from .pipe import Pipe
from .resume import Progress, resumable

if TYPE_CHECKING:
    from .abort import AbortSignal

_NORMAL_CLOSURE = 1000
_json = msgspec.json.Encoder()


def web_socket(url: Url, options: Provided[WebSocketOptions | Mapping[str, Any]] | None = None) -> WebSocketAdapter:
    """Asks and listens on one WebSocket, which is opened by the first message and serves all later ones.

    :param url: a URL, or a function that is asked for one whenever a socket is opened.
    :param options: a :class:`WebSocketOptions` or a mapping of its fields, or a sync or async function that is asked
        for them on every message.
    """
    return WebSocketAdapter(url, options)


class WebSocketAdapter:
    """A subscribe-mode adapter over a WebSocket.

    Its socket is closed when the last subscriber leaves, and by :meth:`aclose`. A turn whose socket is lost goes on
    over others (5.5), or ends in an error that every subscriber gets: :class:`TruncatedStreamError`,
    :class:`StreamReconnectLimitError` or :class:`ProtocolError`. Between turns a lost socket is no error.
    """

    def __init__(self, url: Url, options: Provided[WebSocketOptions | Mapping[str, Any]] | None = None) -> None:
        self._url = url
        self._options = options
        self._subscribers: set[Pipe[Chunk]] = set()
        self._conversation: _Conversation | None = None

    def subscribe(self, abort_signal: AbortSignal | None = None) -> Pipe[Chunk]:
        """Every event from now on, until the signal is aborted or the iterator is closed."""

        async def leave() -> None:
            self._subscribers.discard(pipe)
            if not self._subscribers:
                await self.aclose()

        pipe: Pipe[Chunk] = Pipe(abort_signal, leave)
        self._subscribers.add(pipe)
        return pipe

    async def send(
        self,
        messages: Messages,
        data: Data | None = None,
        abort_signal: AbortSignal | None = None,
        run_context: RunContext | None = None,
    ) -> None:
        """Begins a turn; returns when it is on its way.

        Aborting the signal stops the run on the server. With the reason :data:`.abort.DETACHED` it closes the socket
        without a word, so that the run goes on.

        Raises :class:`HttpError` when the server refuses the socket, :class:`ConnectionLostError` when it cannot be
        reached.
        """
        run = run_context or RunContext()
        options = await provided_options(WebSocketOptions, self._options)
        rows = [message if isinstance(message, UIMessage) else UIMessage.from_dict(message) for message in messages]
        frame = _json.encode(request_body(rows, data, run, run.dialect, options.body)).decode()
        try:
            with interruptible(abort_signal):
                conversation = await self._open(run.run_id, options)
                await conversation.begin(_Turn(run.run_id, Progress(options.reconnect)), frame, abort_signal)
        except Aborted:
            return

    async def join_run(self, run_id: str, abort_signal: AbortSignal | None = None) -> AsyncGenerator[Chunk, None]:
        """A run's events from its start, over a socket of its own. What the server refuses is lost at once."""
        options = await provided_options(WebSocketOptions, self._options)
        url = await provided(self._url)

        def replay(offset: str | None) -> AsyncGenerator[Event, None]:
            target = with_query(url, {"offset": offset or "-1", "runId": run_id})
            return _replay(target, options, abort_signal)

        async with aclosing(resumable(replay, options.reconnect, abort_signal)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def aclose(self) -> None:
        """Closes the socket. A later message opens another one."""
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            await conversation.close()

    async def _open(self, run_id: str, options: WebSocketOptions) -> _Conversation:
        """The conversation that takes the next turn."""
        if self._conversation is None or not self._conversation.takes_turns:
            await self.aclose()
            url = await provided(self._url)
            self._conversation = _Conversation(url, run_id, options, self._push, self._fail)
        await self._conversation.opened()
        return self._conversation

    def _push(self, chunk: Chunk) -> None:
        for subscriber in self._subscribers:
            subscriber.push(chunk)

    def _fail(self, error: ClientError) -> None:
        for subscriber in self._subscribers:
            subscriber.fail(error)


class _Turn:
    """One run on a socket."""

    def __init__(self, run_id: str, progress: Progress) -> None:
        self.run_id = run_id
        self.progress = progress
        self.stopped = False

    @property
    def over(self) -> bool:
        """Whether nothing more is expected."""
        return self.stopped or self.progress.ended


class _Conversation:
    """A socket for turns, and after its loss the sockets on which its last turn goes on: one task owns them all."""

    def __init__(
        self,
        url: str,
        run_id: str,
        options: WebSocketOptions,
        push: Callable[[Chunk], None],
        fail: Callable[[ClientError], None],
    ) -> None:
        self._url = url
        self._options = options
        self._push = push
        self._fail = fail
        self._turn: _Turn | None = None
        self._socket: EventSocket | None = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._frames: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._run(with_query(url, {"runId": run_id})))

    @property
    def takes_turns(self) -> bool:
        """Whether its socket is opening or open."""
        return not self._opened.done() or (self._socket is not None and not self._socket.closed)

    async def opened(self) -> None:
        """Returns once the socket is open. Raises why it is not."""
        await asyncio.shield(self._opened)

    async def begin(self, turn: _Turn, frame: str, abort_signal: AbortSignal | None) -> None:
        """Sends the frame that begins a turn."""
        if self._socket is None:
            raise ConnectionLostError("The connection was lost.")
        self._turn = turn
        self._socket.expect(True)
        if abort_signal is not None:
            abort_signal.add_callback(lambda: self._stop(turn, abort_signal.reason))
        await self._socket.send(frame)

    async def close(self) -> None:
        """Ends everything."""
        for task in (self._task, *self._frames):
            task.cancel()
        await asyncio.wait([self._task, *self._frames])

    async def _run(self, url: str) -> None:
        try:
            async with open_socket(url, self._options) as socket:
                self._socket = socket
                self._opened.set_result(None)
                try:
                    await self._read(socket)
                finally:
                    self._socket = None
            await self._resume()
        except ClientError as error:
            if self._opened.done():
                self._fail(error)
            else:
                self._give_up(error)
        finally:
            if not self._opened.done():
                self._give_up(ConnectionLostError("The socket was closed before it was open."))

    def _give_up(self, error: ClientError) -> None:
        self._opened.set_exception(error)
        self._opened.exception()  # whoever waited may be gone

    async def _read(self, socket: EventSocket) -> None:
        """Passes on what comes, until the connection ends."""
        with contextlib.suppress(ConnectionLostError):
            while True:
                socket.expect(self._turn is not None and not self._turn.over)
                event = await socket.receive()
                if event is None:
                    return
                self._deliver(event)

    async def _resume(self) -> None:
        """Goes on with the turn that the socket left unfinished."""
        while (turn := self._turn) is not None and not turn.over:
            offset = turn.progress.offset
            if offset is None:
                raise TruncatedStreamError
            await turn.progress.before_reconnect()
            target = with_query(self._url, {"runId": turn.run_id, "offset": offset})
            with contextlib.suppress(ConnectionLostError, HttpError):  # they count as a reconnect without use
                async with aclosing(_replay(target, self._options, None)) as events:
                    async for event in events:
                        self._deliver(event)

    def _deliver(self, event: Event) -> None:
        turn = self._turn
        if turn is None or (not turn.stopped and turn.progress.is_new(event)):
            self._push(event.chunk)

    def _stop(self, turn: _Turn, reason: object) -> None:
        if turn is not self._turn or turn.over:
            return
        turn.stopped = True
        if self._socket is None or reason is DETACHED:
            self._task.cancel()
            return
        frame = _json.encode({"type": "abort", "runId": turn.run_id}).decode()
        task = asyncio.create_task(self._tell(self._socket, frame))
        self._frames.add(task)
        task.add_done_callback(self._frames.discard)

    async def _tell(self, socket: EventSocket, frame: str) -> None:
        with contextlib.suppress(ConnectionLostError):  # a server whose socket is gone stops by itself
            await socket.send(frame)


async def _replay(url: str, options: WebSocketOptions, abort_signal: AbortSignal | None) -> AsyncGenerator[Event, None]:
    """The events of a socket that only listens, until the server closes it in peace. Raises :class:`Aborted`."""
    async with contextlib.AsyncExitStack() as stack:
        with interruptible(abort_signal):
            socket = await stack.enter_async_context(open_socket(url, options))
        while True:
            with interruptible(abort_signal):
                event = await socket.receive()
            if event is None:
                break
            yield event
        if socket.close_code != _NORMAL_CLOSURE:
            raise ConnectionLostError(f"The server closed the connection: {socket.close_code}.")

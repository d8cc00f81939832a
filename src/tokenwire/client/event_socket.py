"""A WebSocket on which a server sends events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from ..wire.reading import Event, printable, read_message
from .errors import ConnectionLostError, HttpError, ProtocolError
from .fetch import bare_url
from .options import request_headers

if TYPE_CHECKING:
    import aiohttp

    from .options import WebSocketOptions

_CLOSE_SECONDS = 0.5


@asynccontextmanager
async def open_socket(url: str, options: WebSocketOptions) -> AsyncGenerator[EventSocket, None]:
    """An open socket. Raises :class:`HttpError` and :class:`ConnectionLostError`."""
    import aiohttp

    limits = options.limits
    timeout = aiohttp.ClientTimeout(total=None, connect=limits.connect)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=True) as session:
        try:
            async with asyncio.timeout(limits.silence):
                socket = await session.ws_connect(
                    url,
                    protocols=options.protocols,
                    headers=request_headers(options.cookies, options.headers),
                    max_msg_size=limits.event_bytes,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS),
                    autoping=False,
                )
        except aiohttp.WSServerHandshakeError as error:
            raise HttpError(error.status, printable(error.message, 100), url=bare_url(url)) from error
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            raise ConnectionLostError(f"The connection was lost: {printable(str(error), 100)}") from error
        async with socket:
            yield EventSocket(socket, limits.silence)


class EventSocket:
    """An open socket.

    :param silence: seconds without a frame after which the connection counts as lost, while an answer is expected.
        Any frame is a sign of life: a server that thinks for long sends pings.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, silence: float) -> None:
        self._socket = socket
        self._silence = silence
        self._expecting = True
        self._deadline: asyncio.Timeout | None = None

    @property
    def closed(self) -> bool:
        """Whether it is closed, or closing."""
        return self._socket.closed

    @property
    def close_code(self) -> int | None:
        """Why it was closed."""
        return self._socket.close_code

    def expect(self, answer: bool) -> None:
        """Whether an answer is expected from now on; at first it is. Between answers silence is no error."""
        self._expecting = answer
        self._be_patient()

    async def receive(self) -> Event | None:
        """The next event; ``None`` once the server has closed.

        Raises :class:`ConnectionLostError`, and :class:`ProtocolError` for what is no event.
        """
        from aiohttp import WSMsgType

        try:
            async with asyncio.timeout(None) as self._deadline:
                while True:
                    self._be_patient()
                    message = await self._socket.receive()
                    if message.type is WSMsgType.PING:
                        await self._pong(message.data)
                    elif message.type is WSMsgType.TEXT:
                        event = read_message(message.data)
                        if event is not None:
                            return event
                    elif message.type is not WSMsgType.PONG:
                        self._check_end(message)
                        return None
        except TimeoutError as error:
            raise ConnectionLostError("Nothing came from the server for too long.") from error
        finally:
            self._deadline = None

    async def send(self, frame: str) -> None:
        """Sends text. Raises :class:`ConnectionLostError`."""
        try:
            await self._socket.send_str(frame)
        except (ConnectionError, RuntimeError) as error:
            raise ConnectionLostError("The connection was lost.") from error

    async def _pong(self, data: bytes) -> None:
        with suppress(ConnectionError):  # the next frame tells how the connection ended
            await self._socket.pong(data)

    def _check_end(self, message: aiohttp.WSMessage) -> None:
        from aiohttp import WSCloseCode, WSMsgType

        if message.type is WSMsgType.BINARY:
            raise ProtocolError("The server sent bytes that are no text.")
        if message.type is WSMsgType.ERROR:
            if self._socket.close_code == WSCloseCode.MESSAGE_TOO_BIG:
                raise ProtocolError("The server sent an event that is too long.")
            raise ConnectionLostError(f"The connection was lost: {self._socket.exception()}")

    def _be_patient(self) -> None:
        if self._deadline is not None:
            now = asyncio.get_running_loop().time()
            self._deadline.reschedule(now + self._silence if self._expecting else None)

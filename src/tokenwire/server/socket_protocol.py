"""uvicorn's WebSocket protocol, where what a client does would be logged as our fault or hold a connection for ever."""

from typing import TYPE_CHECKING

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent


_BAD_HEAD = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class SocketProtocol(WebSocketsSansIOProtocol):
    """Gives every message to the application as bytes, which then says what becomes of one that is no UTF-8."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # a head that uvicorn could read and websockets cannot (8 KiB a header): nobody would answer it
            self.transport.write(_BAD_HEAD)
            self.transport.close()

    def handle_text(self, event: Frame) -> None:
        self.handle_bytes(event)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()  # closed only, it would wait for a peer who does not read to read the rest

    async def send(self, message: "ASGISendEvent") -> None:
        await self.writable.wait()
        if self.close_sent or self.transport.is_closing():
            raise ClientDisconnected  # by the protocol itself, too: uvicorn takes a send after that for a mistake
        await super().send(message)
        if self.close_sent:
            self.handshake_complete = True  # by a refusal with a response, too: uvicorn would log it as unanswered

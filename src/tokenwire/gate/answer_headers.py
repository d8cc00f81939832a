"""What every answer says beside its own: to browsers, what must not be done with it."""

from collections.abc import Awaitable, Sequence

from starlette.types import Message, Send

SECURITY_HEADERS: Sequence[tuple[bytes, bytes]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    # of what is asked with CORS, as every hook does, this says nothing
    (b"cross-origin-resource-policy", b"same-origin"),
)

_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})
"""The messages that have an answer's head, that of a refused WebSocket among them."""


def with_headers(send: Send, headers: Sequence[tuple[bytes, bytes]]) -> Send:
    """A ``send`` that adds these to the head of an answer, but for those that it has already."""

    def send_with_headers(message: Message) -> Awaitable[None]:
        # no coroutine of its own: much passes here
        if message["type"] in _STARTS:
            own = {name for name, _ in message["headers"]} - {b"vary"}
            more = [header for header in headers if header[0] not in own]
            message = {**message, "headers": [*message["headers"], *more]}
        return send(message)

    return send_with_headers

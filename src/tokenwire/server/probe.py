"""``GET /healthz?stream=1``: a short stream that costs nothing, by which to see what a proxy makes of one.

It is for everybody, so it tells nothing of the server, and no more than a few are sent at once.
"""

import asyncio
import time

import msgspec
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import Code, Refusal

EVENTS = 5
INTERVAL = 0.1
_AT_ONCE = 16
_SENT_BY_HOOKS = ("authorization", "last-event-id", "x-run-id", "origin", "cookie")
_SAID_BY_PROXIES = ("x-forwarded-for", "x-forwarded-proto", "forwarded")

_json = msgspec.json.Encoder()


class Probes:
    """Sends them.

    :param heartbeat: seconds that a stream may be silent.
    """

    def __init__(self, heartbeat: float) -> None:
        self._heartbeat = heartbeat
        self._under_way = 0

    def answer(self, request: Request) -> ASGIApp:
        """The stream that a request asks for. Raises :class:`Refusal` (``bad_request``, ``overloaded``)."""
        kind = request.query_params["stream"]
        if kind not in ("1", "slow"):
            raise Refusal(Code.bad_request, "stream is 1 or slow.")
        if self._under_way >= _AT_ONCE:
            raise Refusal(Code.overloaded, "Too many probes at once. Try again in a moment.")
        # which of these arrived, never what was in them
        arrived = [name for name in (*_SENT_BY_HOOKS, *_SAID_BY_PROXIES) if name in request.headers]
        first = {
            "arrived": arrived,
            "heartbeat": self._heartbeat,
            "http": request.scope.get("http_version"),
            "time": time.time(),
        }
        return self._slow(first) if kind == "slow" else self._steady(first)

    def _steady(self, first: object) -> ASGIApp:
        return self._stream([(0.0, _event(first)), *((INTERVAL, _event({"n": n})) for n in range(1, EVENTS))])

    def _slow(self, first: object) -> ASGIApp:
        """As silent as an answer may be: a heartbeat, and as long again to its end."""
        return self._stream([(0.0, _event(first)), (self._heartbeat, b"\n"), (self._heartbeat, _event({"n": 1}))])

    def _stream(self, pieces: list[tuple[float, bytes]]) -> ASGIApp:
        async def stream(_: Scope, receive: Receive, send: Send) -> None:
            self._under_way += 1
            gone = asyncio.ensure_future(_gone(receive))
            try:
                await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
                for wait, piece in pieces:
                    if wait and (await asyncio.wait([gone], timeout=wait))[0]:
                        return
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            finally:
                gone.cancel()
                self._under_way -= 1

        return stream


_HEADERS = (
    # those of an answer: a proxy decides by them
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


def _event(data: object) -> bytes:
    return b"data: " + _json.encode(data) + b"\n\n"


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

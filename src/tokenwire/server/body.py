"""Reading a request's body within bounds of size and time."""

import asyncio

from starlette.types import Receive

from ..errors import Code, Refusal


class Disconnected(Exception):
    """The client left before its request was complete: there is nobody to answer."""


async def read_body(receive: Receive, *, limit: int, seconds: float) -> bytes:
    """The whole body.

    Raises :class:`Refusal` (``request_too_large``, ``request_timeout``) and :class:`Disconnected`.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Disconnected
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > limit:
                    raise Refusal(Code.request_too_large, f"The request body is larger than {limit} bytes.")
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        raise Refusal(Code.request_timeout) from None

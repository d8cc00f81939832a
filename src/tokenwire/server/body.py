"""Reading a request's body within bounds of size and time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import Code, Refusal
from ..observe.limits import limits_hit


async def read_body(stream: AsyncGenerator[bytes, None], *, limit: int, seconds: float) -> bytes:
    """The whole body of a request's stream.

    Raises :class:`Refusal` (``request_too_large``, ``request_timeout``) and Starlette's ``ClientDisconnect``: then
    there is nobody to answer.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds), aclosing(stream):
            async for chunk in stream:
                size += len(chunk)
                if size > limit:
                    limits_hit(Code.request_too_large)
                    raise Refusal(Code.request_too_large, f"The request body is larger than {limit} bytes.")
                chunks.append(chunk)
    except TimeoutError:
        limits_hit(Code.request_timeout)
        raise Refusal(Code.request_timeout) from None
    return b"".join(chunks)

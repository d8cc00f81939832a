"""A WebSocket as a browser's: what it says first, what comes, and how it ends."""

import json
from collections.abc import AsyncGenerator
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from .exchange import BrokenConnection, RefusedRequest

_REFUSALS = (1007, 1008, 1011)


async def frames(url: str, first: Any = None) -> AsyncGenerator[str, None]:
    """The text frames as they arrive, in answer to a first one if there is one. It never comes to an end by itself.

    :raises BrokenConnection: after everything that did arrive, also when the server closed in peace.
    :raises RefusedRequest: when the server says by its status, or as it closes, that it is no use to come again.
    """
    try:
        # uncompressed, so that an answer is of one size; the readers have a patience of their own
        socket = await connect(url, compression=None, open_timeout=None, ping_interval=None, max_size=None, proxy=None)
    except InvalidStatus as refused:
        raise RefusedRequest(f"HTTP {refused.response.status_code}") from refused
    except (OSError, EOFError, InvalidHandshake) as error:
        raise BrokenConnection(str(error)) from error
    try:
        if first is not None:
            await socket.send(json.dumps(first))
        while True:
            frame = await socket.recv()
            assert isinstance(frame, str), "a browser would see a Blob"
            yield frame
    except ConnectionClosed as closed:
        if closed.rcvd is not None and closed.rcvd.code in _REFUSALS:
            raise RefusedRequest(f"closed with {closed.rcvd.code}") from closed
        raise BrokenConnection(str(closed)) from closed
    finally:
        await socket.close()

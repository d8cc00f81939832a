"""One HTTP/1.1 request and its chunked answer over a bare socket: what a browser's fetch does, and shows of a fault."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class BrokenConnection(Exception):
    """The connection ended before the answer did."""


class RefusedRequest(Exception):
    """The answer is none: its status is not 200."""


class Pace(NamedTuple):
    """How a reader reads: so many bytes at once, a pause after each read."""

    size: int = 1 << 16
    pause: float = 0.0


FAST = Pace()


async def exchange(
    method: str, url: str, headers: Mapping[str, str], body: Any = None, pace: Pace = FAST
) -> AsyncGenerator[bytes, None]:
    """The answer's body as it arrives.

    :raises BrokenConnection: after everything that did arrive.
    :raises RefusedRequest: instead of a body.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    content = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"{method} {parts.path}{'?' if parts.query else ''}{parts.query} HTTP/1.1",
        f"Host: {parts.hostname}:{parts.port}",
        "Accept: */*",
        *(f"{name}: {value}" for name, value in headers.items()),
        *([f"Content-Type: application/json\r\nContent-Length: {len(content)}"] if content else []),
    ]
    try:
        reader, writer = await _connect(parts.hostname, parts.port, pace)
    except OSError as error:
        raise BrokenConnection(str(error)) from error
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        async for data in _answer(reader, pace):
            yield data
    except (OSError, asyncio.IncompleteReadError) as error:
        raise BrokenConnection(str(error)) from error
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _connect(host: str, port: int, pace: Pace) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if not pace.pause:
        return await asyncio.open_connection(host, port)
    # whoever reads slowly must not have the system read for him
    narrow = socket.socket()
    narrow.setblocking(False)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, pace.size)
    await asyncio.get_running_loop().sock_connect(narrow, (host, port))
    return await asyncio.open_connection(sock=narrow, limit=pace.size)


async def _answer(reader: asyncio.StreamReader, pace: Pace) -> AsyncGenerator[bytes, None]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = head.split(" ", 2)[1]
    if status != "200":
        raise RefusedRequest(f"HTTP {status}")
    assert "transfer-encoding: chunked" in head, head
    while size := int(await reader.readuntil(b"\r\n"), 16):
        while size:
            data = await reader.read(min(size, pace.size))
            if not data:
                raise BrokenConnection("the answer ended within a chunk")
            size -= len(data)
            yield data
            if pace.pause:
                await asyncio.sleep(pace.pause)
        await reader.readexactly(2)
    await reader.readexactly(2)

"""A server that answers with the very bytes a test says, mistakes included."""

import asyncio
import json
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

Json = dict[str, Any]
Ending = Literal["close", "reset", "hang"]


@dataclass
class Answer:
    """What one request gets: bytes, each in a write of its own, and what becomes of the connection then.

    ``hang`` keeps it open until the client goes.
    """

    writes: Iterable[bytes] | AsyncIterable[bytes]
    ending: Ending = "close"


@dataclass
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RawServer:
    """Gives each request the next answer. An async context manager."""

    answers: list[Answer] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._hung_up = asyncio.Semaphore(0)
        self._waiting = asyncio.Semaphore(0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.origin = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def url(self) -> str:
        return f"{self.origin}/chat"

    async def asked(self) -> None:
        """Returns once a request, one more than before, has all of its answer."""
        await asyncio.wait_for(self._waiting.acquire(), 10)

    async def hung_up(self) -> None:
        """Returns once a client, one more than before, has left an answer that hangs."""
        await asyncio.wait_for(self._hung_up.acquire(), 10)

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._answer(reader, writer)
        except ConnectionError:
            self._hung_up.release()
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *lines = head.split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines if each)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(Asked(method, target, headers, body))
        answer = self.answers.pop(0)
        if isinstance(answer.writes, AsyncIterable):
            async for data in answer.writes:
                writer.write(data)
                await writer.drain()
        else:
            for data in answer.writes:
                writer.write(data)
                await writer.drain()
        self._waiting.release()
        if answer.ending == "reset":
            peer: socket.socket = writer.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif answer.ending == "hang":
            await reader.read()
            self._hung_up.release()


def head(status: str = "200 OK", **headers: str) -> bytes:
    """The head of an answer whose body goes to the end of the connection."""
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def stream(*pieces: bytes, ending: Ending = "close") -> Answer:
    """An answer with a body in pieces."""
    return Answer([head(content_type="text/event-stream"), *pieces], ending)


def sse(*events: Json, offset: str | None = None, first: int = 1) -> bytes:
    """Events as server-sent events, numbered from ``first`` where ``offset`` names their run."""
    frames = []
    for number, event in enumerate(events, first):
        ident = f"id: {offset}:{number}\n" if offset else ""
        frames.append(f"{ident}data: {json.dumps(event)}\n\n")
    return "".join(frames).encode()


def ndjson(*events: Json, offset: str | None = None, first: int = 1) -> bytes:
    """The same, one a line."""
    lines = []
    for number, event in enumerate(events, first):
        lines.append(json.dumps({"id": f"{offset}:{number}", "chunk": event} if offset else event) + "\n")
    return "".join(lines).encode()


STARTED: Json = {"type": "RUN_STARTED", "threadId": "t", "runId": "r"}
BEGIN: Json = {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"}
END: Json = {"type": "TEXT_MESSAGE_END", "messageId": "m"}
FINISHED: Json = {"type": "RUN_FINISHED", "threadId": "t", "runId": "r", "finishReason": "stop"}


def text(delta: str) -> Json:
    """A piece of text."""
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": delta}


HELLO: list[Json] = [STARTED, BEGIN, text("Hel"), text("lo ☃"), END, FINISHED]

"""A model server on loopback that says what the test wrote."""
# ruff: noqa: ASYNC109  # a test wants the failure to say what it was waiting for

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from .changes import Changes
from .connection import Connection, Exchange
from .received import PATIENCE, Received
from .reply import Reply
from .request import Request
from .script import script
from .wires import Wire, wire_at
from .wires.base import MODEL
from .wires.openai_chat import OpenAIChat, models, refusal

if TYPE_CHECKING:
    from .threaded import ThreadedUpstream

_HOST = "127.0.0.1"


class ScriptedUpstream:
    """A server that plays `Reply`s in the wire it is asked in, faults included, and records what it was asked.

    An async context manager: it serves inside the `async with`. It speaks OpenAI's chat completions and Responses,
    Anthropic's Messages, Gemini and Ollama's chat, all at once. Each request for an answer takes the next queued
    reply, or `default` when none is queued. A peer that closes its sending side counts as gone.
    """

    def __init__(self, port: int = 0, default: Reply | None = None) -> None:
        self.default = default or Reply(text=("Hello", ", ", "world"))
        self.requests: list[Received] = []
        """Every request so far, oldest first, those for other paths included."""
        self.connections = 0
        """TCP connections accepted so far."""
        self._port = port
        self._queue: deque[Reply] = deque()
        self._opened: set[Connection] = set()
        self._changes = Changes()

    @staticmethod
    def in_thread(port: int = 0, default: Reply | None = None) -> ThreadedUpstream:
        """The same for code without a loop: a context manager that serves from a thread of its own."""
        from .threaded import ThreadedUpstream

        return ThreadedUpstream(ScriptedUpstream(port, default))

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, _HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in list(self._opened):
            await connection.drop()
        await self._changes.until(lambda: not self._opened)
        await self._server.wait_closed()

    @property
    def base_url(self) -> str:
        """What a client of OpenAI's APIs is configured with."""
        return f"{self.origin}/v1"

    @property
    def origin(self) -> str:
        """What a client of Anthropic's, of Gemini or of Ollama is configured with."""
        return f"http://{_HOST}:{self._port}"

    @property
    def open(self) -> int:
        """TCP connections open now."""
        return len(self._opened)

    def say(self, *text: str, hold: bool | Literal["head"] = False) -> None:
        """Queues a reply of these deltas."""
        self.reply(Reply(text=text, hold=hold))

    def reply(self, *replies: Reply) -> None:
        """Queues replies, each for one request."""
        self._queue.extend(replies)

    async def received(self, n: int = 1, timeout: float | None = PATIENCE) -> Received:
        """Returns the `n`th request, once it has arrived."""
        try:
            await self._changes.until(lambda: len(self.requests) >= n, timeout)
        except TimeoutError:
            raise TimeoutError(f"{n} requests expected, there are {self.requests}") from None
        return self.requests[n - 1]

    async def until(self, condition: Callable[[], bool], timeout: float | None = PATIENCE) -> None:
        """Returns once a condition on this upstream or its requests holds, such as `upstream.open == 0`."""
        await self._changes.until(condition, timeout)

    def _connection(self) -> Connection:
        self.connections += 1
        return Connection(self._accept, self._opened, self._changes)

    def _accept(self, request: Request) -> Exchange:
        body = _parsed(request.content)
        wire = wire_at(request.path) if request.method == "POST" else None
        reply = self._answer(wire, request, body) if wire else self._other(request)
        received = Received(request.method, request.path, request.headers, body, self._changes, reply.hold)
        self.requests.append(received)
        wire = wire or OpenAIChat()
        ask = wire.ask(len(self.requests), request, body if isinstance(body, Mapping) else {})
        chunking = request.version != "1.0"
        return Exchange(received, reply, script(wire, reply, ask, keep_alive=request.keep_alive, chunking=chunking))

    def _answer(self, wire: Wire, request: Request, body: Any) -> Reply:
        if problem := wire.problem(request, body):
            return Reply(status=400, body=wire.refusal(400, problem))
        return self._queue.popleft() if self._queue else self.default

    def _other(self, request: Request) -> Reply:
        if (request.method, request.path) == ("GET", "/v1/models"):
            return Reply(body=models(self.default.model or MODEL))
        return Reply(status=404, body=refusal(404, f"Unknown request URL: {request.method} {request.path}."))


def _parsed(content: bytes | bytearray) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None

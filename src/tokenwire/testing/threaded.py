"""The scripted upstream for code without a loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from ..loop_thread import LoopThread
from .hosted import Hosted
from .received import PATIENCE, Received
from .reply import Reply
from .upstream import ScriptedUpstream


class ThreadedUpstream(Hosted):
    """A `ScriptedUpstream` in a daemon thread with a loop of its own; the same calls, but they block."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        super().__init__(upstream, "scripted upstream")
        self._upstream = upstream

    @property
    def base_url(self) -> str:
        """What a client of OpenAI's APIs is configured with."""
        return self._upstream.base_url

    @property
    def origin(self) -> str:
        """What a client of Anthropic's, of Gemini or of Ollama is configured with."""
        return self._upstream.origin

    @property
    def default(self) -> Reply:
        """The reply when none is queued."""
        return self._upstream.default

    @default.setter
    def default(self, reply: Reply) -> None:
        self._upstream.default = reply

    @property
    def connections(self) -> int:
        """TCP connections accepted so far."""
        return self._upstream.connections

    @property
    def open(self) -> int:
        """TCP connections open now."""
        return self._upstream.open

    @property
    def requests(self) -> list[ThreadedReceived]:
        """Every request so far, oldest first."""
        return [ThreadedReceived(request, self._thread) for request in list(self._upstream.requests)]

    def say(self, *text: str, hold: bool | Literal["head"] = False) -> None:
        """Queues a reply of these deltas."""
        self._upstream.say(*text, hold=hold)

    def reply(self, *replies: Reply) -> None:
        """Queues replies, each for one request."""
        self._upstream.reply(*replies)

    def received(self, n: int = 1, timeout: float | None = PATIENCE) -> ThreadedReceived:
        """Returns the `n`th request, once it has arrived."""
        return ThreadedReceived(self._thread.run(self._upstream.received(n, timeout)), self._thread)

    def until(self, condition: Callable[[], bool], timeout: float | None = PATIENCE) -> None:
        """Returns once a condition holds; it is called in the upstream's thread."""
        self._thread.run(self._upstream.until(condition, timeout))


class ThreadedReceived:
    """A `Received` whose waits block."""

    def __init__(self, request: Received, thread: LoopThread) -> None:
        self._request = request
        self._thread = thread

    def __repr__(self) -> str:
        return repr(self._request)

    @property
    def method(self) -> str:
        return self._request.method

    @property
    def path(self) -> str:
        return self._request.path

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name."""
        return self._request.headers

    @property
    def body(self) -> Any:
        """The parsed JSON; None where there was none."""
        return self._request.body

    @property
    def sent(self) -> int:
        """Deltas on the wire so far, each to its last byte."""
        return self._request.sent

    @property
    def closed(self) -> float | None:
        """When the peer was seen to close or reset before the reply's end, in `time.monotonic` seconds."""
        return self._request.closed

    @property
    def finished(self) -> bool:
        """Whether the reply was played to its end."""
        return self._request.finished

    def step(self, n: int = 1, timeout: float | None = PATIENCE) -> None:
        """As `Received.step`."""
        self._thread.run(self._request.step(n, timeout))

    def release(self) -> None:
        """As `Received.release`."""
        self._thread.run(self._release())

    def wait_finished(self, timeout: float | None = PATIENCE) -> None:
        """As `Received.wait_finished`."""
        self._thread.run(self._request.wait_finished(timeout))

    def wait_closed(self, timeout: float | None = PATIENCE) -> float:
        """As `Received.wait_closed`."""
        return self._thread.run(self._request.wait_closed(timeout))

    async def _release(self) -> None:
        self._request.release()

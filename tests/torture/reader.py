"""One tab: follows an answer through broken connections by the newest TanStack client's rules, and renders it."""

import asyncio
import math
from collections.abc import Callable
from contextlib import aclosing
from itertools import cycle

from tokenwire.testing import Reading
from tokenwire.testing.changes import Changes

from .exchange import BrokenConnection, RefusedRequest
from .wire import Json, Message, Messages, Question, Wire

MAX_ATTEMPTS = 5
"""The real client's."""

PATIENCE = 30.0
"""Seconds after which a reader counts as hung."""

_Connect = Callable[[str, str | None], Messages]


class Reader:
    """Reads one answer; `reading` is what it has made of it so far.

    It differs from the real client in one thing: that gives up when a connection breaks before its first offset, this
    one sends the same question once more, as the page would when its user presses the button again.

    :param bases: where the server is; of several, one after the other is gone to.
    :param attempts: so many in a row without a new event, and it gives up.
    """

    def __init__(self, wire: Wire, *bases: str, delay: float = 0.02, attempts: int = MAX_ATTEMPTS) -> None:
        self.reading = Reading()
        self.events: dict[str, Json] = {}
        """Those that came under an offset, by that."""
        self.ended_at = math.inf
        """When the terminal event came, by the loop's clock."""
        self._wire = wire
        self._bases = cycle(bases)
        self._delay = delay
        self._attempts = attempts
        self._terminal: Json | None = None
        self._told: Json | None = None
        """The terminal event as an earlier connection told it: a later one may tell it again."""
        self._changes = Changes()

    async def ask(self, question: Question) -> Reading:
        """Asks, and reads to the end."""
        return await self._read(question.run_id, lambda base, after: self._wire.ask(base, question, after))

    async def join(self, run_id: str, after: str | None = None) -> Reading:
        """Reads a run that is there, from its start or after an offset, to the end."""
        return await self._read(run_id, lambda base, after: self._wire.join(base, run_id, after), after)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns once a condition on what was read holds."""
        await self._changes.until(condition, PATIENCE)

    async def _read(self, run_id: str, connect: _Connect, after: str | None = None) -> Reading:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._follow(run_id, connect, after)
        except TimeoutError:
            self.reading.hung = True
        except RefusedRequest as refused:
            self.reading.error = str(refused)
        return self.reading

    async def _follow(self, run_id: str, connect: _Connect, after: str | None) -> None:
        fruitless = 0
        while fruitless <= self._attempts:
            fresh = ended = False
            self._told = self._terminal
            try:
                async with aclosing(connect(next(self._bases), next(reversed(self.events), after))) as messages:
                    async for message in messages:
                        fresh |= self._render(run_id, message)
                        ended |= message.event == self._terminal
                if ended:
                    return
                if not fresh:
                    self.reading.error = "a clean end with neither a new event nor a terminal one"
                    return
            except BrokenConnection:
                pass
            fruitless = 0 if fresh else fruitless + 1
            await asyncio.sleep(self._delay)
        self.reading.error = f"{self._attempts} attempts without a new event"

    def _render(self, run_id: str, message: Message) -> bool:
        """Whether the message is news."""
        offset, event = message
        if offset is not None:
            if offset in self.events:
                return False
            self.events[offset] = event
        elif event == self._told:
            return False
        if event.get("runId", run_id) != run_id:
            self.reading.error = f"an event of another run: {event}"
        match event["type"]:
            case "TEXT_MESSAGE_CONTENT":
                self.reading.text += event["delta"]
            case "REASONING_MESSAGE_CONTENT":
                self.reading.reasoning += event["delta"]
            case "RUN_FINISHED":
                self._end(event, "")
            case "RUN_ERROR":
                self._end(event, event["code"])
        self._changes.announce()
        return True

    def _end(self, event: Json, end: str) -> None:
        self._terminal = event
        self.ended_at = asyncio.get_running_loop().time()
        self.reading.terminals.append(end)

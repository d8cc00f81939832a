"""A backend whose agents do what a test says."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import HTTPConnection

from tokenwire import Ask, ChatBackend, Code, Refusal


async def who(connection: HTTPConnection) -> str | None:
    """The user that a header names."""
    return connection.headers.get("x-user")


class Stage:
    """Its agent ``held`` says "Hel", and the rest when it is released; ``asks`` is what it was given."""

    def __init__(self, **options: Any) -> None:
        self.backend = ChatBackend({"disconnect": {"rais": "cancel"}}, **options)
        self.asks: list[Ask] = []
        self.begun = threading.Event()
        self.ended = threading.Event()
        self._release: Callable[[], object] = lambda: None
        self.backend.agent("echo", description="says it again", greeting="Hello?", default=True)(self._echo)
        self.backend.agent("held")(self.held)
        self.backend.agent("refusing")(self._refusing)

    def release(self) -> None:
        """Lets the agent go on that was begun last."""
        assert self.begun.wait(20)
        self._release()

    async def _echo(self, ask: Ask) -> str:
        self.asks.append(ask)
        return ask.prompt

    async def held(self, ask: Ask) -> AsyncIterator[str]:
        self.asks.append(ask)
        loop, released = asyncio.get_running_loop(), asyncio.Event()
        self._release = lambda: loop.call_soon_threadsafe(released.set)
        try:
            yield "Hel"
            self.begun.set()
            await released.wait()
            yield "lo"
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # what an agent that is stopped still has to do may take a while
            self.ended.set()

    async def _refusing(self, ask: Ask) -> str:
        raise Refusal(Code.refused_choice, f"Not for {ask.principal}.")

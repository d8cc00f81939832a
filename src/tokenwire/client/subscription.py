"""Who listens to a connection, and how that goes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from ..wire.reading import Chunk
from .abort import AbortController, AbortSignal
from .connection import Connection, ConnectionAdapter, normalize
from .state import ChatState


class Subscription:
    """Reads what comes of a connection.

    In connect mode each turn has a reader of its own, so that nothing is left running between turns. In subscribe mode
    one reader stays until :meth:`close`.

    :param receive: called with each event.
    :param lost: called when the reader ends without having been told to.
    """

    def __init__(
        self,
        adapter: ConnectionAdapter | None,
        receive: Callable[[Chunk], None],
        lost: Callable[[], None],
        state: ChatState,
    ) -> None:
        self._take_adapter(adapter)
        self._receive = receive
        self._lost = lost
        self._state = state
        self._reader: AbortController | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def use(self, adapter: ConnectionAdapter) -> None:
        """Changes to another connection, and listens there if it did here. Raises as :func:`.connection.normalize`."""
        normalize(adapter)
        listens = self._state.is_subscribed
        self.close()
        self._take_adapter(adapter)
        if listens:
            self.open()

    def open(self) -> None:
        """Subscribes, if that is not done."""
        if not self._state.is_subscribed:
            self._state.set_subscribed(True)
            self._state.set_connection_status("connecting")
            if not self.is_per_turn:
                self._reader, _ = self._read()

    def close(self) -> None:
        """Stops reading; :meth:`closed` waits for the end of it."""
        if self._reader is not None:
            self._reader.abort()
            self._reader = None
        self._state.set_subscribed(False)
        self._state.set_connection_status("disconnected")

    async def closed(self) -> None:
        """Returns when nothing of the reading is left."""
        if pending := self._tasks - {asyncio.current_task()}:
            await asyncio.wait(pending)

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None, None]:
        """Reads while a turn lasts."""
        self.open()
        own = self._read() if self.is_per_turn else None
        try:
            await asyncio.sleep(0)  # the reader listens before the first event comes
            yield
        finally:
            if own is not None:
                reader, task = own
                reader.abort()
                if task is not asyncio.current_task():
                    await asyncio.wait([task])

    def _take_adapter(self, adapter: ConnectionAdapter | None) -> None:
        self.connection: Connection = normalize(adapter)
        self.is_per_turn = hasattr(adapter, "connect")

    def _read(self) -> tuple[AbortController, asyncio.Task[None]]:
        controller = AbortController()
        task = asyncio.create_task(self._follow(controller.signal))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return controller, task

    async def _follow(self, signal: AbortSignal) -> None:
        stream = aiter(self.connection.subscribe(signal))
        try:
            async for chunk in stream:
                if signal.aborted:
                    return
                if self._state.connection_status == "connecting":
                    self._state.set_connection_status("connected")
                self._receive(chunk)
                # Whoever watches sees each event before the next, and other tasks have their turn.
                await asyncio.sleep(0)
        except Exception as error:  # noqa: BLE001 - an adapter or a callback may raise anything
            if not signal.aborted:
                self._state.set_connection_status("error")
                self._state.set_subscribed(False)
                self._state.report(error)
        else:
            if not signal.aborted:
                self._state.set_subscribed(False)
                self._state.set_connection_status("disconnected")
        finally:
            if not signal.aborted:
                self._lost()
            if hasattr(stream, "aclose"):
                await stream.aclose()

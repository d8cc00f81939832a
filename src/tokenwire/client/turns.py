"""One request after the other over a connection, and the events that come of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .abort import AbortController, Aborted, interruptible
from .connection import Chunk, Connection, ConnectionAdapter, RunChunk, RunContext, is_terminal, normalize
from .late import LateEvents
from .messages import UIMessage, new_id


class Turn:
    """One request, from its sending to the end of the answer.

    ``ended`` is set with the first event that ends a run, ``over`` with the one that ends the answer.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.controller = AbortController()
        self.over = asyncio.Event()
        self.ended = asyncio.Event()

    @property
    def stopped(self) -> bool:
        """Whether it was cancelled."""
        return self.controller.signal.aborted


class Turns:
    """Sends requests and reads what comes of them.

    In connect mode each turn has a reader of its own, so that nothing is left running between turns. In subscribe mode
    one reader stays until :meth:`close`.

    :param apply: called with each event that is of interest.
    :param fail: called when reading fails beside a turn.
    """

    def __init__(
        self, adapter: ConnectionAdapter | None, apply: Callable[[Chunk], None], fail: Callable[[Exception], None]
    ) -> None:
        self.connection: Connection = normalize(adapter)
        self._per_turn = hasattr(adapter, "connect")
        self._apply = apply
        self._fail = fail
        self._late = LateEvents()
        self._current: Turn | None = None
        self._subscription: tuple[AbortController, asyncio.Task[None]] | None = None

    @property
    def run_id(self) -> str | None:
        """The run of the turn that is under way."""
        return self._current.run_id if self._current is not None else None

    def begin(self, run_id: str | None = None) -> Turn:
        """A new turn, of a new run or of one that is joined; it takes the place of the one before."""
        self._current = Turn(run_id or new_id("run"))
        self._late.expect()
        return self._current

    def end(self, turn: Turn) -> None:
        """The turn is done with."""
        if self._current is turn:
            self._current = None

    def cancel(self) -> None:
        """Ends the turn that is under way; what still comes of it is left aside."""
        turn, self._current = self._current, None
        self._late.dismiss([turn.run_id] if turn is not None else [])
        if turn is not None:
            turn.controller.abort()
            turn.over.set()
            turn.ended.set()

    def dismiss(self) -> None:
        """Leaves aside what still comes of runs that others began."""
        self._late.dismiss([])

    def over(self) -> None:
        """The answer has its terminal event."""
        if self._current is not None:
            self._current.over.set()

    async def send(
        self, turn: Turn, messages: Sequence[UIMessage], data: Mapping[str, Any], context: RunContext
    ) -> None:
        """Returns when the answer is over or the turn cancelled. Raises what the connection raises."""
        if self._per_turn:
            reader = self._read(lambda chunk: self._is_of(turn, chunk))
            try:
                await asyncio.sleep(0)  # the reader listens before the first event comes
                with interruptible(turn.controller.signal):
                    await self.connection.send(messages, data, turn.controller.signal, context)
            except Aborted:
                return
            except Exception as error:
                if not turn.stopped:
                    self._fail(error)
                    await turn.ended.wait()  # what came before the failure is still shown
                raise
            finally:
                await _end(reader)
            return
        if self._subscription is None or self._subscription[1].done():
            self._subscription = self._read(lambda chunk: not self._late.is_late(chunk))
            await asyncio.sleep(0)
        # The adapter ends its sending by itself when the signal is aborted: it may have to tell the server.
        await self.connection.send(messages, data, turn.controller.signal, context)
        await turn.over.wait()

    async def join(self, turn: Turn, first: Callable[[Chunk], None], patience: float) -> None:
        """Applies the events of the turn's run from its start on, until it ends.

        ``first`` is called before each event is applied. Raises :class:`TimeoutError` when the first one is not there
        after ``patience`` seconds.
        """
        if self.connection.join_run is None:
            return
        stream = aiter(self.connection.join_run(turn.run_id, turn.controller.signal))
        try:
            with interruptible(turn.controller.signal):
                async with asyncio.timeout(patience) as deadline:
                    async for chunk in stream:
                        deadline.reschedule(None)
                        first(chunk)
                        self._apply(chunk)
        except Aborted:
            return
        finally:
            if hasattr(stream, "aclose"):
                await stream.aclose()

    async def close(self) -> None:
        """Cancels the turn and stops reading."""
        self.cancel()
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            await _end(subscription)

    def _is_of(self, turn: Turn, chunk: Chunk) -> bool:
        return not turn.stopped and (not isinstance(chunk, RunChunk) or chunk.request_run_id == turn.run_id)

    def _read(self, wanted: Callable[[Chunk], bool]) -> tuple[AbortController, asyncio.Task[None]]:
        controller = AbortController()
        return controller, asyncio.create_task(self._follow(controller, wanted))

    async def _follow(self, controller: AbortController, wanted: Callable[[Chunk], bool]) -> None:
        stream = aiter(self.connection.subscribe(controller.signal))
        try:
            async for chunk in stream:
                if controller.signal.aborted:
                    return
                if wanted(chunk):
                    self._apply(chunk)
                    if is_terminal(chunk) and self._current is not None:
                        self._current.ended.set()
                # Whoever watches sees each event before the next, and other tasks have their turn.
                await asyncio.sleep(0)
        except Exception as error:  # noqa: BLE001 - an adapter or a callback may raise anything
            self._fail(error)
        finally:
            if self._current is not None:
                self._current.over.set()
                self._current.ended.set()
            if hasattr(stream, "aclose"):
                await stream.aclose()


async def _end(subscription: tuple[AbortController, asyncio.Task[None]]) -> None:
    controller, reader = subscription
    controller.abort()
    if reader is not asyncio.current_task():
        await asyncio.wait([reader])

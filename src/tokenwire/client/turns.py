"""One request after the other over a connection, and the events that come of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..wire.reading import Chunk, is_terminal
from .abort import AbortController, Aborted, interruptible
from .connection import Connection, ConnectionAdapter, RunChunk, RunContext, chunk_run_id
from .late import LateEvents
from .messages import UIMessage, new_id
from .state import ChatState
from .subscription import Subscription


class Turn:
    """One request, from its sending to the end of the answer.

    ``over`` is set with the event that ends the answer, or when there will be none.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.controller = AbortController()
        self.over = asyncio.Event()

    @property
    def stopped(self) -> bool:
        """Whether it was cancelled."""
        return self.controller.signal.aborted


class Turns:
    """Sends requests and passes on what comes of them.

    :param apply: called with each event that is of interest.
    """

    def __init__(self, adapter: ConnectionAdapter | None, apply: Callable[[Chunk], None], state: ChatState) -> None:
        self._apply = apply
        self._state = state
        self._late = LateEvents()
        self._generating: set[str] = set()
        self._current: Turn | None = None
        self._subscription = Subscription(adapter, self._receive, self._lost, state)

    @property
    def connection(self) -> Connection:
        """Where requests go."""
        return self._subscription.connection

    def begin(self, run_id: str | None = None) -> Turn:
        """A new turn, of a new run or of one that is joined; it takes the place of the one before."""
        turn = self._current = Turn(run_id or new_id("run"))
        self._late.expect()
        self._state.set_run_id(turn.run_id)
        return turn

    def end(self, turn: Turn) -> None:
        """The turn is done with."""
        if self._current is turn:
            self._current = None
            self._state.set_run_id(None)

    def cancel(self, reason: str | None = None) -> None:
        """Ends the turn that is under way; what still comes of it is left aside."""
        turn, self._current = self._current, None
        self._late.dismiss([turn.run_id] if turn is not None else [])
        if turn is not None:
            turn.controller.abort(reason)
            turn.over.set()
        self._forget_runs()
        self._state.set_run_id(None)

    def dismiss(self) -> None:
        """Leaves aside what still comes of runs that others began."""
        self._late.dismiss([])
        self._forget_runs()

    def over(self) -> None:
        """The answer has its terminal event."""
        if self._current is not None:
            self._current.over.set()

    def subscribe(self) -> None:
        """Listens, also to runs that others begin."""
        self._subscription.open()

    def unsubscribe(self) -> None:
        """Listens no more; the turn that is under way has to be cancelled before."""
        self._forget_runs()
        self._subscription.close()

    def use(self, adapter: ConnectionAdapter) -> None:
        """Changes to another connection, and listens there if it did here. Raises as :func:`.connection.normalize`."""
        self._forget_runs()
        self._subscription.use(adapter)

    async def send(
        self, turn: Turn, messages: Sequence[UIMessage], data: Mapping[str, Any], context: RunContext
    ) -> None:
        """Returns when the answer is over or the turn cancelled. Raises what the connection raises."""
        connection, is_per_turn, signal = self.connection, self._subscription.is_per_turn, turn.controller.signal
        async with self._subscription.turn():
            if is_per_turn:
                try:
                    with interruptible(signal):
                        await connection.send(messages, data, signal, context)
                except Aborted:
                    return
            else:
                # The adapter ends its sending by itself when the signal is aborted: it may have to tell the server.
                await connection.send(messages, data, signal, context)
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
                        self._take(chunk)
        except Aborted:
            return
        finally:
            if hasattr(stream, "aclose"):
                await stream.aclose()

    async def close(self) -> None:
        """Cancels the turn and stops reading."""
        self.cancel()
        self.unsubscribe()
        await self._subscription.closed()

    def _receive(self, chunk: Chunk) -> None:
        if self._is_wanted(chunk):
            self._take(chunk)

    def _is_wanted(self, chunk: Chunk) -> bool:
        if not self._subscription.is_per_turn:
            return not self._late.is_late(chunk)
        turn = self._current
        return turn is not None and (not isinstance(chunk, RunChunk) or chunk.request_run_id == turn.run_id)

    def _take(self, chunk: Chunk) -> None:
        run_id = chunk_run_id(chunk)
        if chunk.get("type") == "RUN_STARTED" and run_id is not None:
            self._generating.add(run_id)
            self._state.set_generating(True)
        self._apply(chunk)
        if is_terminal(chunk):
            if run_id is not None:
                self._generating.discard(run_id)
            elif chunk.get("type") == "RUN_ERROR":
                self._generating.clear()
            self._state.set_generating(bool(self._generating))

    def _forget_runs(self) -> None:
        self._generating.clear()
        self._state.set_generating(False)

    def _lost(self) -> None:
        self._forget_runs()
        self.over()

"""What a chat shows, and whom it tells."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from .interrupts import Interrupt
from .messages import UIMessage
from .queue import QueuedMessage

if TYPE_CHECKING:
    from .callbacks import Callbacks

ConnectionStatus = Literal["disconnected", "connecting", "connected", "error"]
Status = Literal["ready", "submitted", "streaming", "error"]
Callback = Callable[..., Awaitable[None] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that a chat shows, at one moment."""

    messages: Sequence[UIMessage]
    status: Status
    is_loading: bool
    error: Exception | None
    queue: Sequence[QueuedMessage]
    interrupts: Sequence[Interrupt]
    resuming: bool
    current_run_id: str | None
    is_subscribed: bool
    connection_status: ConnectionStatus
    session_generating: bool


class Audience:
    """Callbacks by name, and whoever iterates over snapshots.

    A callback is called where the change happens. What an async one awaits runs as a task of its own: it neither
    delays the stream nor waits for it, so it may send the next message.
    """

    def __init__(self) -> None:
        self._callbacks: dict[str, Callback | None] = {}
        self._tasks: set[asyncio.Future[None]] = set()
        self._watchers: set[asyncio.Event] = set()
        self._closed = False

    def listen(self, callbacks: "Callbacks") -> None:
        """Sets callbacks, in place of those of the same names."""
        self._callbacks.update(cast("dict[str, Callback | None]", callbacks))

    def tell(self, name: str, *args: Any) -> None:
        """Calls the callback of that name, if there is one."""
        callback = self._callbacks.get(name)
        result = callback(*args) if callback is not None else None
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(result)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.changed()

    async def ask(self, name: str) -> None:
        """Calls a callback and waits for it."""
        callback = self._callbacks.get(name)
        result = callback() if callback is not None else None
        if inspect.isawaitable(result):
            await result

    def changed(self) -> None:
        """There is a new snapshot."""
        for watcher in self._watchers:
            watcher.set()

    async def snapshots(self, take: Callable[[], Snapshot]) -> AsyncGenerator[Snapshot, None]:
        """The state now, and after changes; whoever is slow gets the newest only. Ends with :meth:`close`."""
        watcher, shown = asyncio.Event(), None
        watcher.set()
        self._watchers.add(watcher)
        try:
            while True:
                await watcher.wait()
                watcher.clear()
                closed, newest = self._closed, take()
                if newest != shown:
                    yield (shown := newest)
                if closed:
                    return
        finally:
            self._watchers.discard(watcher)

    async def close(self) -> None:
        """Waits for the callbacks that still run; snapshots end."""
        self._closed = True
        self.changed()
        while others := self._tasks - {asyncio.current_task()}:
            await asyncio.wait(others)


class ChatState:
    """Where a chat is. Each change is told once."""

    def __init__(self, audience: Audience) -> None:
        self.status: Status = "ready"
        self.is_loading = False
        self.error: Exception | None = None
        self.run_id: str | None = None
        self.is_subscribed = False
        self.connection_status: ConnectionStatus = "disconnected"
        self.session_generating = False
        self._audience = audience
        self._reported = False

    def begin(self, status: Status) -> None:
        """A request is under way; what failed before is forgotten."""
        self._reported = False
        self.set_loading(True)
        self.set_status(status)
        self.set_error(None)

    def report(self, error: Exception) -> None:
        """The request failed. Its first error counts: what follows from it says less."""
        first, self._reported = not self._reported, True
        if first:
            self.set_error(error)
        if self.is_loading or self.status in ("submitted", "streaming"):
            self.set_status("error")
        if first:
            self._audience.tell("on_error", error)

    def set_status(self, status: Status) -> None:
        """See :attr:`ChatClient.status`."""
        if self.status != status:
            self.status = status
            self._audience.tell("on_status_change", status)

    def set_loading(self, is_loading: bool) -> None:
        """See :attr:`ChatClient.is_loading`."""
        if self.is_loading != is_loading:
            self.is_loading = is_loading
            self._audience.tell("on_loading_change", is_loading)

    def set_error(self, error: Exception | None) -> None:
        """See :attr:`ChatClient.error`."""
        if self.error is not error:
            self.error = error
            self._audience.tell("on_error_change", error)

    def set_run_id(self, run_id: str | None) -> None:
        """See :attr:`ChatClient.current_run_id`."""
        if self.run_id != run_id:
            self.run_id = run_id
            self._audience.tell("on_run_id_change", run_id)

    def set_subscribed(self, is_subscribed: bool) -> None:
        """See :attr:`ChatClient.is_subscribed`."""
        if self.is_subscribed != is_subscribed:
            self.is_subscribed = is_subscribed
            self._audience.tell("on_subscription_change", is_subscribed)

    def set_connection_status(self, status: ConnectionStatus) -> None:
        """See :attr:`ChatClient.connection_status`."""
        if self.connection_status != status:
            self.connection_status = status
            self._audience.tell("on_connection_status_change", status)

    def set_generating(self, is_generating: bool) -> None:
        """See :attr:`ChatClient.session_generating`."""
        if self.session_generating != is_generating:
            self.session_generating = is_generating
            self._audience.tell("on_session_generating_change", is_generating)

"""Whom a chat tells what (docs/wires/tanstack.md 7.1)."""

from collections.abc import Awaitable, Callable
from typing import Any, TypedDict

from ..wire.reading import Chunk
from .interrupts import Interrupt, InterruptSource, InterruptState, ResumeState
from .messages import UIMessage
from .queue import QueuedMessage
from .state import ConnectionStatus, Status

Told = Awaitable[None] | None


class Callbacks(TypedDict, total=False):
    """The callbacks of a :class:`~tokenwire.client.ChatClient`, each sync or async.

    An async one delays nothing but itself, ``on_response`` apart, and may send the next message.
    """

    on_response: Callable[[], Told] | None
    """A request is about to be sent; awaited."""
    on_chunk: Callable[[Chunk], Told] | None
    """An event, before it is applied."""
    on_finish: Callable[[UIMessage], Told] | None
    """An answer is complete; its last message."""
    on_error: Callable[[Exception], Told] | None
    """A request failed; once for each."""
    on_custom_event: Callable[[str, Any, str | None], Told] | None
    """An event of the application's own: its name, its value, the tool call it names."""
    on_messages_change: Callable[[list[UIMessage]], Told] | None
    on_loading_change: Callable[[bool], Told] | None
    on_error_change: Callable[[Exception | None], Told] | None
    on_status_change: Callable[[Status], Told] | None
    on_queue_change: Callable[[list[QueuedMessage]], Told] | None
    on_subscription_change: Callable[[bool], Told] | None
    on_connection_status_change: Callable[[ConnectionStatus], Told] | None
    on_session_generating_change: Callable[[bool], Told] | None
    on_run_id_change: Callable[[str | None], Told] | None
    on_resume_state_change: Callable[[ResumeState | None, list[Interrupt]], Told] | None
    """The run that waits for its user is another, or none, or has got an answer; what is open of it."""
    on_interrupt_state_change: Callable[[InterruptState, InterruptSource], Told] | None
    """The same, and whether the answers are on their way; ``hydrate`` where the server's transcript told it."""

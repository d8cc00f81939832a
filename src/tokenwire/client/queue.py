"""What the user says while an answer is under way (docs/wires/tanstack.md, *State and methods*)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from .messages import new_id
from .parts import ContentPart, TextPart

WhenBusy = Literal["queue", "drop", "interrupt"]


@dataclass(frozen=True, slots=True)
class MessageContent:
    """A message to send that is more than text."""

    content: str | Sequence[ContentPart]
    id: str | None = None
    metadata: Mapping[str, Any] | None = None


Content = str | Sequence[ContentPart] | MessageContent


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message that waits for its turn."""

    content: Content
    body: Mapping[str, Any] | None = None
    id: str = field(default_factory=lambda: new_id("queued"))
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePolicy:
    """What becomes of a message that is sent while the client is busy.

    ``queue`` keeps it until the answer is there, ``drop`` forgets it, ``interrupt`` stops the answer and sends it now.
    ``fifo`` then sends one after the other, ``batch`` all that wait as one message. A queue that holds ``max_size``
    rejects the newest or drops its oldest.
    """

    when_busy: WhenBusy = "queue"
    drain: Literal["fifo", "batch"] = "fifo"
    max_size: int | None = None
    on_overflow: Literal["reject", "drop-oldest"] = "reject"

    def __post_init__(self) -> None:
        if self.max_size is not None and self.max_size < 0:
            raise ValueError("max_size must not be negative")


class SendQueue:
    """Holds messages until they may be sent. Tells each change to ``changed``."""

    def __init__(self, policy: QueuePolicy, changed: Callable[[], None]) -> None:
        self.policy = policy
        self._changed = changed
        self._waiting: list[QueuedMessage] = []

    @property
    def waiting(self) -> list[QueuedMessage]:
        """The messages that wait, oldest first; the list is the caller's."""
        return list(self._waiting)

    def add(self, message: QueuedMessage) -> None:
        """Adds a message, as far as there is room."""
        limit = self.policy.max_size
        if limit is not None and len(self._waiting) >= limit:
            if self.policy.on_overflow == "reject" or limit == 0:
                return
            del self._waiting[0]
        self._waiting.append(message)
        self._changed()

    def take(self) -> QueuedMessage | None:
        """What is to be sent next: the oldest message, or all of them as one."""
        if not self._waiting:
            return None
        count = len(self._waiting) if self.policy.drain == "batch" else 1
        taken = self._waiting[:count]
        del self._waiting[:count]
        self._changed()
        return taken[0] if self.policy.drain == "fifo" else _as_one(taken)

    def cancel(self, message_id: str) -> bool:
        """Takes a message back; false when it does not wait any more."""
        kept = [message for message in self._waiting if message.id != message_id]
        found = len(kept) != len(self._waiting)
        if found:
            self._waiting = kept
            self._changed()
        return found

    def clear(self) -> None:
        """Forgets all that wait."""
        if self._waiting:
            self._waiting = []
            self._changed()


def _as_one(messages: Sequence[QueuedMessage]) -> QueuedMessage:
    """All text is joined by newlines; otherwise the parts follow each other. The last body wins."""
    body = messages[-1].body
    texts = [message.content for message in messages if isinstance(message.content, str)]
    if len(texts) == len(messages):
        return QueuedMessage("\n".join(texts), body)
    parts: list[ContentPart] = []
    metadata: dict[str, Any] = {}
    for message in messages:
        content: str | Sequence[ContentPart]
        if isinstance(message.content, MessageContent):
            content = message.content.content
            metadata |= message.content.metadata or {}
        else:
            content = message.content
        parts += [TextPart(content=content)] if isinstance(content, str) else content
    return QueuedMessage(MessageContent(parts, metadata=metadata or None), body)

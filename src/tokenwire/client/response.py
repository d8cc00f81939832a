"""What a client knows of one response while it streams: the messages and the calls it has begun."""

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import UNSET

from .messages import Role


@dataclass(slots=True)
class OpenCall:
    """A tool call that this response began."""

    id: str
    name: str
    arguments: str = ""
    state: Literal["awaiting-input", "input-streaming", "input-complete"] = "awaiting-input"
    metadata: Any = UNSET


@dataclass(slots=True)
class OpenMessage:
    """A message that this response writes to: the text of its last segment, and how much of that is shown."""

    role: Role
    segment: str = ""
    shown: str = ""
    after_calls: bool = False
    complete: bool = False
    step: str | None = None
    steps: dict[str | None, str] = field(default_factory=dict)
    signatures: dict[str | None, str] = field(default_factory=dict)
    calls: dict[str, OpenCall] = field(default_factory=dict)


@dataclass(slots=True)
class Response:
    """One response. ``open`` is all it wrote to, ``active`` what it has not finished; both in their order."""

    open: dict[str, OpenMessage] = field(default_factory=dict)
    active: dict[str, None] = field(default_factory=dict)
    runs: set[Any] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)
    structured: dict[str, None] = field(default_factory=dict)
    made_up: str | None = None
    pending_step: str | None = None
    finish_reason: str | None = None
    failed: bool = False
    end_told: bool = False

    def begin(self, message_id: str, role: Role) -> OpenMessage:
        """Writes to a message from now on."""
        state = self.open[message_id] = OpenMessage(role)
        self.active[message_id] = None
        return state

    def answer(self, late: bool) -> str | None:
        """The answer that events without an id belong to; with ``late``, one that was finished too."""
        for message_id in reversed(self.active):
            if message_id in self.open and self.open[message_id].role == "assistant":
                return message_id
        if late:
            return next((each for each in reversed(self.open) if self.open[each].role == "assistant"), None)
        return None

    def reopen(self, message_id: str) -> OpenMessage:
        """Writes to a message again."""
        self.active[message_id] = None
        state = self.open[message_id]
        state.complete = False
        return state

    def rename(self, old: str, new: str) -> None:
        """A message has got another id."""
        if old in self.open:
            self.open[new] = self.open.pop(old)
        self.active.pop(old, None)
        self.active[new] = None
        self.owners = {call: new if owner == old else owner for call, owner in self.owners.items()}

    def call(self, call_id: str) -> tuple[str, OpenCall] | None:
        """A call it began, and the message that holds it."""
        owner = self.owners.get(call_id)
        state = self.open.get(owner) if owner is not None else None
        call = state.calls.get(call_id) if state is not None else None
        return (owner, call) if owner is not None and call is not None else None

    def keep(self, messages: Container[str]) -> None:
        """Forgets all but ``messages``."""
        self.open = {each: state for each, state in self.open.items() if each in messages}
        self.active = dict.fromkeys(each for each in self.active if each in messages)
        self.structured = dict.fromkeys(each for each in self.structured if each in messages)
        self.owners = {call: owner for call, owner in self.owners.items() if owner in messages}

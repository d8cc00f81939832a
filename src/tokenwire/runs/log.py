"""The contract of a run's log, and of the store that keeps the logs.

A log is the ordered record of one run's events: canonical JSON (:mod:`tokenwire.events`), sequence numbers 1, 2, 3 …
It is the truth: whatever a client sees was read from it. Every store keeps these invariants:

1. A record that a reader was given stays in the log, unchanged, under its number, as long as the log is kept.
2. ``read`` returns records strictly after a number, in order, without gaps.
3. The log ends by ``close`` and by nothing else; the last record of a closed log is a terminal event.
4. Nothing is appended to a closed log.
5. Appending never waits for a reader: a slow reader falls behind in the log and nowhere else.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

Wake = Callable[[], None]
"""Called, in the event loop, whenever a log has grown or was closed. It must not block and not raise."""


class RunInfo(msgspec.Struct, frozen=True):
    """What a run is known by."""

    principal: str
    thread_id: str
    run_id: str
    wire: str
    """The wire it was asked in: a join that names none is answered in this one."""

    @property
    def key(self) -> str:
        """See :func:`log_key`."""
        return log_key(self.principal, self.run_id)


def log_key(principal: str, run_id: str) -> str:
    """The name of the log of a principal's run, as it stands in offsets.

    A digest, so that it is the same in every process without a lookup, one principal's run id can never name
    another's run, and a run id that nobody else knows makes offsets that nobody else can guess.
    """
    digest = hashlib.sha256(f"{principal}\0{run_id}".encode()).digest()
    return urlsafe_b64encode(digest[:15]).decode()


class Log(Protocol):
    """One run's record."""

    @property
    def info(self) -> RunInfo:
        """Whose log it is."""

    @property
    def key(self) -> str:
        """``info.key``, computed once."""

    @property
    def length(self) -> int:
        """The number of the last record that may be delivered."""

    @property
    def size(self) -> int:
        """Bytes of all records."""

    @property
    def closed(self) -> bool:
        """Whether the log has ended."""

    def append(self, payloads: Sequence[bytes]) -> None:
        """Adds records in order."""

    def close(self) -> None:
        """Ends the log. Closing twice is closing once."""

    def read(self, after: int, limit: int) -> Sequence[bytes]:
        """At most ``limit`` records that follow the number ``after``; empty at the end."""

    def follow(self, wake: Wake) -> None:
        """Calls ``wake`` after every change from now on."""

    def unfollow(self, wake: Wake) -> None:
        """Stops that."""


class Store(Protocol):
    """Keeps logs: open ones always, closed ones for a while."""

    async def open(self, info: RunInfo) -> tuple[Log, bool]:
        """The log of a run, made if there was none; and whether it was made. Atomic: one caller makes it."""

    async def find(self, key: str) -> Log | None:
        """The log of that key, if it is kept."""

    async def close(self) -> None:
        """Lets go of everything the store holds open."""

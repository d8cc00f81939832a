"""The contract of a run's log, and of the store that keeps the logs.

A log is the ordered record of one run's events: canonical JSON (:mod:`tokenwire.events`), sequence numbers 1, 2, 3 …
It is the truth: whatever a client sees was read from it. Every store keeps these invariants:

1. A record that a reader was given stays in the log, unchanged, under its number, as long as the log is kept.
2. ``read`` returns records strictly after a number, in order, without gaps.
3. The log ends by ``close`` and by nothing else; the last record of a closed log is a terminal event.
4. Nothing is appended to a closed log.
5. Appending never waits for a reader: a slow reader falls behind in the log and nowhere else.
6. A log has one writer, which made it. Where a store outlives its processes, a writer that is gone is noticed within
   the time of a lease, and its log is ended in its stead, once; from then on the store takes nothing more from it.

``append`` and ``close`` do not wait for the store either: what was appended may be delivered (``length``) as soon as
the store has it, and followers hear of it then.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from ..errors import Failure

Wake = Callable[[], None]
"""Called, in the event loop, whenever a log has grown or was closed. It must not block and not raise."""


class RunInfo(msgspec.Struct, frozen=True, omit_defaults=True, weakref=True):
    """What a run is known by."""

    principal: str
    thread_id: str
    run_id: str
    wire: str
    """The wire it was asked in: a join that names none is answered in this one."""
    trace: str = ""
    """Its place in a trace, as W3C's ``traceparent``, so that who resumes it goes on in the same one; or empty."""

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


class Writer(Protocol):
    """Whoever writes a log, as its store speaks to it."""

    def cancel(self) -> None:
        """Somebody in another process asked for the end."""

    def lose(self, failure: Failure) -> None:
        """The store takes nothing more: the log was ended by another process, or the store has been away too long."""

    def hold(self) -> None:
        """Too much waits for the store: nothing more, please, until :meth:`resume`. What comes is still taken."""

    def resume(self) -> None:
        """The end of :meth:`hold`."""

    def concluded(self, *, lost: bool) -> None:
        """The log's end is known, and it is this process's to tell: called once, or never where another one ended it.

        :param lost: the end is not the writer's own: it was written in its stead, or nobody will ever write one.
        """


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
        """Bytes of all records, those included that may not be delivered yet."""

    @property
    def closed(self) -> bool:
        """Whether the log has ended."""

    @property
    def failure(self) -> Failure | None:
        """Why it cannot be followed any further although it is not closed: the store was away for too long."""

    @property
    def taken(self) -> int:
        """The number of the last record that anybody here has read."""

    @property
    def readers(self) -> int:
        """How many follow it in this process."""

    def write(self, writer: Writer) -> None:
        """Names the writer, before the first ``append``. The writer is let go when the log is closed or fails."""

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
    """Keeps logs: open ones always, closed ones for a while.

    Every method that waits raises :class:`tokenwire.errors.Refusal` (``store_unavailable``) when the store is away.
    """

    async def open(self, info: RunInfo) -> tuple[Log, bool]:
        """The log of a run, made if there was none; and whether it was made. Atomic: one caller makes it.

        The caller that made it is its writer.
        """

    def watch(self, buried: Callable[[RunInfo], None]) -> None:
        """Tells, from now on, of every run that this process has ended in the stead of a dead one."""

    async def find(self, key: str) -> Log | None:
        """The log of that key, if it is kept."""

    async def cancel(self, key: str) -> None:
        """Asks the writer of that log, wherever it is, to end it."""

    async def attended(self, key: str) -> bool:
        """Whether that log is being read in another process."""

    async def peers(self) -> int:
        """How many other processes serve from this store, those left out that are about to stop."""

    async def retire(self) -> None:
        """This process is about to stop: it no longer counts as a peer."""

    async def close(self) -> None:
        """Lets go of everything the store holds open, after what was appended has been kept (or given up)."""

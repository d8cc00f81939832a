"""What a store outside of this process must be able to do, for :class:`tokenwire.runs.shared.SharedStore`.

A backend knows records and leases; it knows no followers and keeps nothing in memory. All of its methods raise
:class:`StoreTrouble` when the store is away, full or answers nonsense; none of them leaves half of its work done.
"""

from collections.abc import Collection, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from .lease import Lease
from .log import RunInfo


class StoreTrouble(Exception):
    """The store could not do it. The text is for the log only."""


class Stored(NamedTuple):
    """A log as the store has it."""

    info: RunInfo
    lease: Lease
    records: Sequence[bytes]
    """Those after the number that was asked for."""
    closed: bool


class Append(NamedTuple):
    """Records for the end of a log."""

    info: RunInfo
    """With ``key``, so that a store that has lost the log can begin it anew."""
    key: str
    lease: Lease
    after: int
    """How many records the store is believed to have."""
    payloads: Sequence[bytes]
    close: bool


class Fate(Enum):
    """What became of an :class:`Append`."""

    kept = "kept"
    """All of it is in the store, be it from now or from an earlier attempt whose answer was lost."""
    behind = "behind"
    """Nothing was taken: the store has fewer records than was believed (``Written.length``)."""
    fenced = "fenced"
    """Nothing was taken: the lease is no longer good, or the log is closed or gone."""


class Written(NamedTuple):
    """The answer to an :class:`Append`."""

    fate: Fate
    length: int
    """Records in the store."""


class Orphan(NamedTuple):
    """An open log whose writer is not heard of any more."""

    info: RunInfo
    key: str
    lease: Lease


class Listener(Protocol):
    """Is told, in the event loop, what other processes do."""

    def grown(self, key: str, after: int, payloads: Sequence[bytes], closed: bool) -> None:
        """A followed log has the records that follow the number ``after``, or was closed.

        It may repeat itself; a gap says that the store has lost what was told before.
        """

    def cancel_asked(self, key: str) -> None:
        """The end of a log that this process may be writing was asked for."""


class Backend(Protocol):
    """The store itself."""

    worker: str
    """This process's name (:func:`tokenwire.runs.lease.worker_name`)."""

    async def start(self, listener: Listener) -> None:
        """Opens it. Called once, before everything else."""

    async def claim(self, info: RunInfo) -> Stored:
        """The log of that run, made with a lease for this process if there was none. Atomic.

        An open, empty log with a lease of this process's own is a new one: made now, or by a call whose answer was
        lost.
        """

    async def load(self, key: str, after: int) -> Stored | None:
        """A log and its records after a number, if it is kept."""

    async def write(self, appends: Sequence[Append]) -> Sequence[Written]:
        """Appends to several logs at once; one answer for each, in order."""

    def follow(self, key: str, after: int) -> None:
        """From now on the listener is told what that log gets after the number ``after``."""

    def unfollow(self, key: str) -> None:
        """Stops that."""

    async def cancel(self, key: str) -> None:
        """Tells the process that writes that log, if it is open. Arrives within 250 ms while that process lives."""

    async def attend(self, keys: Collection[str], seconds: float) -> None:
        """Marks logs as being read here, for so many seconds."""

    async def attended(self, key: str) -> bool:
        """Whether a log bears such a mark."""

    async def renew(self, seconds: float, *, serving: bool) -> bool:
        """Registers this process as alive for so many seconds from now, and whether it takes new readers.

        Returns whether the store has lost everything since the last time.
        """

    async def peers(self) -> int:
        """How many other processes are alive and take new readers."""

    async def orphans(self) -> Sequence[Orphan]:
        """Open logs whose process is dead; and those with a lease of this process's own, which may have no use
        for them any more."""

    async def bury(self, orphan: Orphan, payload: bytes) -> bool:
        """Ends an orphan with a last record and raises its epoch, if its lease is still the one given. Atomic.

        Returns whether it was; and so once more where the answer to the same call was lost.
        """

    async def close(self) -> None:
        """Removes this process from the store and lets the store go. Never raises."""

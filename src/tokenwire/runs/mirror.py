"""A copy in memory of a log that a store outside of this process keeps."""

from collections.abc import Sequence
from typing import Protocol

from .. import events
from ..errors import Code, Failure
from .backend import Append, Fate, Written
from .followers import Followers
from .lease import Lease
from .log import RunInfo, Wake, Writer

HOLD_BYTES = 256 * 1024
"""What may wait for the store before the writer is asked to hold."""
_BATCH = 512


class Keeper(Protocol):
    """The store, as its copies speak to it."""

    def changed(self, log: "MirrorLog") -> None:
        """Something was appended here, or closed."""

    def followed(self, log: "MirrorLog") -> None:
        """The first follower came."""

    def unfollowed(self, log: "MirrorLog") -> None:
        """The last follower left."""


class MirrorLog:
    """All records of one log: those that the store has, which are delivered, and behind them those on their way there.

    Written here while it has a ``lease``; otherwise it follows what the store tells (:meth:`extend`).
    """

    def __init__(self, info: RunInfo, key: str, keeper: Keeper, maker: str, lease: Lease | None = None) -> None:
        self.info = info
        self.key = key
        self.maker = maker
        """The name of the process that made the log."""
        self.lease = lease
        self.writer: Writer | None = None
        self.length = 0
        self.taken = 0
        self.size = 0
        self.closed = False
        self.failure: Failure | None = None
        self._keeper = keeper
        self._records: list[bytes] = []
        # what the store has: not always what was delivered, because a store may lose what it had
        self._stored = 0
        self._waiting_bytes = 0
        self._closing = False
        self._held = False
        self._followers = Followers()

    @property
    def readers(self) -> int:
        return len(self._followers)

    def write(self, writer: Writer) -> None:
        self.writer = writer

    def append(self, payloads: Sequence[bytes]) -> None:
        if self._closing or self.closed or self.lease is None:
            raise RuntimeError("a log that is closed, or somebody else's, takes no more records")
        self._records.extend(payloads)
        for payload in payloads:
            self._waiting_bytes += len(payload)
            self.size += len(payload)
        if self._waiting_bytes > HOLD_BYTES and not self._held and self.writer is not None:
            self._held = True
            self.writer.hold()
        self._keeper.changed(self)

    def close(self) -> None:
        if self._closing or self.closed or self.lease is None:
            return
        self._closing = True
        self._keeper.changed(self)

    def read(self, after: int, limit: int) -> Sequence[bytes]:
        records = self._records[after : min(after + limit, self.length)]
        self.taken = max(self.taken, after + len(records))
        return records

    def follow(self, wake: Wake) -> None:
        self._followers.add(wake)
        if len(self._followers) == 1:
            self._keeper.followed(self)

    def unfollow(self, wake: Wake) -> None:
        self._followers.remove(wake)
        if not self._followers:
            self._keeper.unfollowed(self)

    def cancel(self) -> None:
        """Another process asked for the end."""
        if self.writer is not None:
            self.writer.cancel()

    def unsaved(self) -> Append | None:
        """What the store does not have yet, as far as it goes into one batch."""
        if self.lease is None or self.closed:
            return None
        after = self._stored
        payloads = self._records[after : after + _BATCH]
        last = after + len(payloads) == len(self._records)
        if not payloads and not self._closing:
            return None
        return Append(self.info, self.key, self.lease, after, payloads, self._closing and last)

    def saved(self, append: Append, written: Written) -> None:
        """What the store made of it. Invariant: nothing is delivered here before the store has it."""
        self._stored = written.length
        if written.fate is not Fate.kept or self.lease is None:
            return
        fresh = append.payloads[max(0, self.length - append.after) :]
        self.length += len(fresh)
        self._waiting_bytes -= sum(map(len, fresh))
        if append.close:
            self._end()
            return
        if self._held and self.writer is not None and self._waiting_bytes < HOLD_BYTES // 2:
            self._held = False
            self.writer.resume()
        self._followers.wake()

    def extend(self, after: int, payloads: Sequence[bytes], closed: bool) -> bool:
        """What another process appended. It may overlap what is known; returns whether it joins that.

        It does not where the store has lost what was read of it before: a log that ends short of that has another end.
        """
        known = len(self._records)
        if self.closed:
            return closed
        fresh = payloads[known - after :]
        if after > known or (closed and not fresh and not (known and events.is_terminal(self._records[-1]))):
            return False
        self._records.extend(fresh)
        self.length = len(self._records)
        self.size += sum(map(len, fresh))
        if closed:
            self._end()
        elif fresh:
            self._followers.wake()
        return True

    def restate(self) -> None:
        """The store has lost everything: it is told all of it again."""
        self._stored = 0

    def yield_to(self, failure: Failure) -> None:
        """The log is no longer ours to write: what the store never took is forgotten."""
        for payload in self._records[self.length :]:
            self.size -= len(payload)
        del self._records[self.length :]
        self.lease = None
        self._lose(failure)

    def fail(self, failure: Failure = Failure(Code.store_unavailable)) -> None:  # noqa: B008
        """It cannot be followed any further; whoever comes next looks in the store itself."""
        self.failure = failure
        self.lease = None
        self._lose(failure)
        self._followers.wake_all()

    def _lose(self, failure: Failure) -> None:
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.lose(failure)

    def _end(self) -> None:
        self.closed = True
        self.lease = None
        self._followers.wake_all()
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.concluded(lost=False)

"""The contract of records, whichever store they are kept in: bytes under a name.

Invariants, kept by every implementation and shown by one suite (tests/accounts/test_records.py):

* What was put is there for every process at once, whole, until it is put anew, deleted or over.
* Of all who take a record, in whatever processes, one gets it.
* A record that is over is as good as deleted.
* What cannot be reached says nothing: every method raises :class:`RecordsAway`.

A name stands in the store, its listings and its backups as it is: one that is a secret has to be digested first.
"""

from collections.abc import Mapping
from typing import Protocol

from ...errors import Code, Refusal


class RecordsAway(Refusal):
    """The records cannot be reached, and so nothing is known of what they hold."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(Code.store_unavailable, "The server cannot look this up at the moment.", detail=detail)


class Records(Protocol):
    """Bytes under names like ``key:tw_ab12``. Every method may raise :class:`RecordsAway`."""

    async def start(self) -> None:
        """Opens the records, or shows that they can be reached."""

    async def put(self, name: str, value: bytes, expires_in: float | None = None) -> None:
        """Keeps a value, in the place of one that was there, for so many seconds or until it is deleted."""

    async def get(self, name: str) -> bytes | None:
        """The value, where there is one."""

    async def take(self, name: str) -> bytes | None:
        """The value, which is deleted with it: a second one who asks gets nothing."""

    async def delete(self, name: str) -> None:
        """Deletes a record. Nothing where there is none."""

    async def list(self, prefix: str) -> Mapping[str, bytes]:
        """All values whose names begin with that, in the order of the names' code points."""

    async def close(self) -> None:
        """Lets everything go."""

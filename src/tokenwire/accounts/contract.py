"""The contract of accounts, whichever store they are kept in.

Invariants, kept by every implementation and shown by one suite (tests/accounts/test_contract.py):

* :meth:`Accounts.take` is atomic over all its claims and over all processes: two that race for the last unit do not
  both get it, and of a refused set nothing is taken.
* What cannot be reached grants nothing: every method raises :class:`AccountsAway`, and the caller refuses.
* A slot whose holder is gone frees itself.
* A clock that is set back, be it by years, costs a rate or a slot one more of its periods and no more.
* An entry is written once for a run of a principal: a second one for the same run is ignored.

Where an answer is lost on its way, what was asked for may have been done: too much may be taken then, never too little.
"""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol

from ..errors import Code, Refusal
from .claim import Budget, Claim, Rate, Slot, Verdict
from .entry import Entry

KEEP_ENTRIES = 100_000
"""How many rows the ledger has before its oldest go, unless another measure is given."""


class AccountsAway(Refusal):
    """The accounts cannot be reached, and so nothing may be used."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(Code.store_unavailable, "Usage cannot be accounted for at the moment.", detail=detail)


class Selection(NamedTuple):
    """Which entries of the ledger. Times are Unix times; ``None`` is any."""

    principal: str | None = None
    key: str | None = None
    model: str | None = None
    since: float | None = None
    until: float | None = None

    def takes(self, entry: Entry) -> bool:
        """Whether it selects an entry."""
        return (
            self.principal in (None, entry.principal)
            and self.key in (None, entry.key)
            and self.model in (None, entry.model_asked)
            and (self.since is None or entry.started >= self.since)
            and (self.until is None or entry.started < self.until)
        )


class Accounts(Protocol):
    """What has been used. Every method may raise :class:`AccountsAway`."""

    async def start(self) -> None:
        """Opens the accounts, or shows that they can be reached."""

    async def take(self, claims: Sequence[Claim]) -> Verdict:
        """Grants all of the claims, or none. No two of them may have the same key.

        A slot that its holder already has is renewed and granted.
        """

    async def settle(self, amounts: Sequence[Rate | Budget]) -> None:
        """Adds what was used beyond what was taken (a positive cost), or gives back (a negative one). Never refused."""

    async def renew(self, slots: Sequence[Slot]) -> None:
        """Holds slots for another while. One that was lost in the meantime is taken again, whatever the limit."""

    async def release(self, slots: Sequence[Slot]) -> None:
        """Lets slots go. Nothing where they are gone already."""

    async def write(self, entry: Entry) -> None:
        """Adds a row to the ledger."""

    def entries(self, selection: Selection) -> AsyncIterator[Entry]:
        """The rows selected, in the order in which they were written."""

    async def close(self) -> None:
        """Lets everything go."""

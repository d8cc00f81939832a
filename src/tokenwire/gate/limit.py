"""One limit of one asker, as the accounts and as clients know it."""

from typing import Literal, NamedTuple

from ..accounts.claim import Claim, Slot

Unit = Literal["requests", "runs", "tokens", "dollars"]


class Limit(NamedTuple):
    """A claim, what it counts, and whose it is."""

    unit: Unit
    kind: str
    """``key``, ``principal`` or ``ip``."""
    claim: Claim
    period: Literal["", "day", "month"] = ""
    """Of a budget."""

    def costing(self, *, tokens: int, dollars: int) -> Claim:
        """The claim, with so many tokens or millionths of a dollar where it counts those."""
        claim = self.claim
        if isinstance(claim, Slot) or self.unit == "requests":
            return claim
        return claim._replace(cost=dollars if self.unit == "dollars" else tokens)

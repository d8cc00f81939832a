"""What the accounts do with the numbers that a store in reach of Python keeps for them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from .claim import Budget, Claim, Rate, Slot, Verdict
from .gcra import Flow, drained, poured
from .standing import Usage, judge

SWEEP_EVERY = 1000
"""How many takes there are between two looks for numbers that no longer matter."""
SPARE_SECONDS = 60.0
"""How much longer than it matters a number is kept: whoever says when a period ends may have another clock."""

_EMPTY = Flow(0.0, 0.0)


class Tally(ABC):
    """Subclasses keep the numbers. Whoever calls sees to it that nothing else happens to them meanwhile."""

    @abstractmethod
    def flow(self, key: str) -> Flow | None:
        """What was kept of a rate."""

    @abstractmethod
    def keep_flow(self, key: str, flow: Flow, until: float) -> None:
        """Keeps it at least until a moment."""

    @abstractmethod
    def holders(self, key: str) -> Mapping[str, float]:
        """Who holds a slot, and until when; those whose time is over may be among them."""

    @abstractmethod
    def hold(self, key: str, holder: str, until: float) -> None:
        """Lets one hold a slot."""

    @abstractmethod
    def let_go(self, key: str, holder: str) -> None:
        """Takes it away, where there is one."""

    @abstractmethod
    def spent(self, key: str) -> int:
        """What was spent of a budget."""

    @abstractmethod
    def keep_spent(self, key: str, amount: int, until: float) -> None:
        """Keeps that at least until a moment."""

    def take(self, claims: Sequence[Claim], now: float) -> Verdict:
        """See :meth:`.contract.Accounts.take`."""
        verdict = judge(claims, [self._usage(claim, now) for claim in claims], now)
        if verdict.refused is None:
            self.settle([claim for claim in claims if not isinstance(claim, Slot)], now)
            self.renew([claim for claim in claims if isinstance(claim, Slot)], now)
        return verdict

    def settle(self, amounts: Sequence[Rate | Budget], now: float) -> None:
        """See :meth:`.contract.Accounts.settle`."""
        for amount in amounts:
            if isinstance(amount, Rate):
                flow = poured(self.flow(amount.key) or _EMPTY, amount, now)
                self.keep_flow(amount.key, flow, now + amount.seconds)
            else:
                spent = max(0, self.spent(amount.key) + amount.cost)
                self.keep_spent(amount.key, spent, amount.until + SPARE_SECONDS)

    def renew(self, slots: Sequence[Slot], now: float) -> None:
        """See :meth:`.contract.Accounts.renew`."""
        for slot in slots:
            self.hold(slot.key, slot.holder, now + slot.seconds)

    def release(self, slots: Sequence[Slot]) -> None:
        """See :meth:`.contract.Accounts.release`."""
        for slot in slots:
            self.let_go(slot.key, slot.holder)

    def _usage(self, claim: Claim, now: float) -> Usage:
        if isinstance(claim, Rate):
            return Usage(self._level(claim, now))
        if isinstance(claim, Budget):
            return Usage(self.spent(claim.key))
        ends = self._ends(claim, now)
        waits = sorted(until - now for until in ends.values())
        # as many must end before it as there are too many with it
        over = len(waits) - claim.limit
        free_in = waits[over] if 0 <= over < len(waits) else float("inf")
        return Usage(len(waits), claim.holder in ends, free_in, max(waits, default=0.0))

    def _level(self, rate: Rate, now: float) -> float:
        kept = self.flow(rate.key)
        if kept is None:
            return 0.0
        flow = drained(kept, rate, now)
        if kept.at > now:
            # the clock was set back: from here it drains, even if nothing more is granted
            self.keep_flow(rate.key, flow, now + rate.seconds)
        return flow.level

    def _ends(self, slot: Slot, now: float) -> Mapping[str, float]:
        latest = now + slot.seconds
        ends = {}
        for holder, until in self.holders(slot.key).items():
            if until > latest:
                # the clock was set back: nobody holds one for longer than that
                self.hold(slot.key, holder, latest)
            if until > now:
                ends[holder] = min(until, latest)
        return ends

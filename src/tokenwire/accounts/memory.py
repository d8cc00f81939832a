"""Accounts of one process, gone with it."""

import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from .claim import Budget, Claim, Rate, Slot, Standing, Verdict
from .contract import Selection
from .entry import Entry
from .gcra import claim

_SWEEP_EVERY = 1000


class MemoryAccounts:
    """See :class:`.contract.Accounts`.

    :param keep: how many entries of the ledger are kept.
    """

    def __init__(self, *, keep: int = 100_000, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._flows: dict[str, float] = {}
        self._slots: dict[str, dict[str, float]] = {}
        self._spent: dict[str, tuple[int, float]] = {}
        self._entries: deque[Entry] = deque(maxlen=keep)
        self._written: dict[tuple[str, str], None] = {}
        self._keep = keep
        self._takes = 0

    async def start(self) -> None:
        """See :class:`.contract.Accounts`."""

    async def take(self, claims: Sequence[Claim]) -> Verdict:
        """See :class:`.contract.Accounts`."""
        now = self._clock()
        self._takes += 1
        if self._takes % _SWEEP_EVERY == 0:
            self._sweep(now)
        standings = tuple(self._standing(one, now) for one in claims)
        refused = next((n for n, standing in enumerate(standings) if standing.retry > 0), None)
        if refused is None:
            for one in claims:
                self._grant(one, now)
        return Verdict(standings, refused)

    async def settle(self, amounts: Sequence[Rate | Budget]) -> None:
        """See :class:`.contract.Accounts`."""
        now = self._clock()
        for amount in amounts:
            if isinstance(amount, Budget):
                self._spend(amount)
            else:
                interval = amount.seconds / amount.limit
                self._flows[amount.key] = max(now, self._flows.get(amount.key, now)) + amount.cost * interval

    async def renew(self, slots: Sequence[Slot]) -> None:
        """See :class:`.contract.Accounts`."""
        now = self._clock()
        for slot in slots:
            self._slots.setdefault(slot.key, {})[slot.holder] = now + slot.seconds

    async def release(self, slots: Sequence[Slot]) -> None:
        """See :class:`.contract.Accounts`."""
        for slot in slots:
            holders = self._slots.get(slot.key, {})
            holders.pop(slot.holder, None)
            if not holders:
                self._slots.pop(slot.key, None)

    async def write(self, entry: Entry) -> None:
        """See :class:`.contract.Accounts`."""
        run = (entry.principal, entry.run_id)
        if run not in self._written:
            self._written[run] = None
            self._entries.append(entry)
            if len(self._written) > self._keep:
                del self._written[next(iter(self._written))]

    async def entries(self, selection: Selection) -> AsyncIterator[Entry]:
        """See :class:`.contract.Accounts`."""
        for entry in tuple(self._entries):
            if selection.takes(entry):
                yield entry

    async def close(self) -> None:
        """See :class:`.contract.Accounts`."""

    def _standing(self, one: Claim, now: float) -> Standing:
        if isinstance(one, Rate):
            flow = claim(self._flows.get(one.key), now, one)
            return Standing(one.key, one.limit, flow.remaining, flow.reset, flow.retry)
        if isinstance(one, Slot):
            others = [until for holder, until in self._held(one.key, now).items() if holder != one.holder]
            free = one.limit - len(others)
            retry = 0.0 if free > 0 else max(0.001, min(others, default=math.inf) - now)
            return Standing(one.key, one.limit, max(0, free - 1), max(others, default=now) - now, retry)
        left = one.limit - self._spent.get(one.key, (0, 0.0))[0]
        # a budget that is used up grants not even what costs nothing yet
        granted = left > 0 and one.cost <= left
        wait = max(0.001, one.until - now)
        remaining = max(0, left - one.cost if granted else left)
        return Standing(one.key, one.limit, remaining, wait, 0.0 if granted else wait)

    def _grant(self, one: Claim, now: float) -> None:
        if isinstance(one, Rate):
            self._flows[one.key] = claim(self._flows.get(one.key), now, one).arrival
        elif isinstance(one, Slot):
            self._slots.setdefault(one.key, {})[one.holder] = now + one.seconds
        else:
            self._spend(one)

    def _held(self, key: str, now: float) -> dict[str, float]:
        held = {holder: until for holder, until in self._slots.get(key, {}).items() if until > now}
        if held:
            self._slots[key] = held
        else:
            self._slots.pop(key, None)
        return held

    def _spend(self, budget: Budget) -> None:
        spent, _ = self._spent.get(budget.key, (0, 0.0))
        self._spent[budget.key] = (max(0, spent + budget.cost), budget.until)

    def _sweep(self, now: float) -> None:
        """Forgets what no longer limits anybody."""
        self._flows = {key: arrival for key, arrival in self._flows.items() if arrival > now}
        self._spent = {key: value for key, value in self._spent.items() if value[1] > now}
        for key in tuple(self._slots):
            self._held(key, now)

"""Accounts of one process, gone with it."""

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from ..runs.log import log_key
from .claim import Budget, Claim, Rate, Slot, Verdict
from .contract import KEEP_ENTRIES, Selection
from .entry import Entry
from .gcra import Flow
from .tally import SWEEP_EVERY, Tally


class MemoryAccounts:
    """See :class:`.contract.Accounts`.

    :param keep: how many entries of the ledger are kept.
    """

    def __init__(self, *, keep: int = KEEP_ENTRIES, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._tally = _MemoryTally()
        self._takes = 0
        self._entries: deque[tuple[str, Entry]] = deque()
        self._written: set[str] = set()
        self._keep = keep

    async def start(self) -> None:
        """See :class:`.contract.Accounts`."""

    async def take(self, claims: Sequence[Claim]) -> Verdict:
        """See :class:`.contract.Accounts`."""
        now = self._clock()
        if self._takes % SWEEP_EVERY == 0:
            self._tally.sweep(now)
        self._takes += 1
        return self._tally.take(claims, now)

    async def settle(self, amounts: Sequence[Rate | Budget]) -> None:
        """See :class:`.contract.Accounts`."""
        self._tally.settle(amounts, self._clock())

    async def renew(self, slots: Sequence[Slot]) -> None:
        """See :class:`.contract.Accounts`."""
        self._tally.renew(slots, self._clock())

    async def release(self, slots: Sequence[Slot]) -> None:
        """See :class:`.contract.Accounts`."""
        self._tally.release(slots)

    async def write(self, entry: Entry) -> None:
        """See :class:`.contract.Accounts`."""
        run = log_key(entry.principal, entry.run_id)
        if run in self._written:
            return
        self._written.add(run)
        self._entries.append((run, entry))
        if len(self._entries) > self._keep:
            forgotten, _ = self._entries.popleft()
            self._written.remove(forgotten)

    async def entries(self, selection: Selection) -> AsyncIterator[Entry]:
        """See :class:`.contract.Accounts`."""
        for _, entry in tuple(self._entries):
            if selection.takes(entry):
                yield entry

    async def close(self) -> None:
        """See :class:`.contract.Accounts`."""


class _MemoryTally(Tally):
    def __init__(self) -> None:
        self._flows: dict[str, tuple[Flow, float]] = {}
        self._slots: dict[str, dict[str, float]] = {}
        self._spent: dict[str, tuple[int, float]] = {}

    def flow(self, key: str) -> Flow | None:
        kept = self._flows.get(key)
        return None if kept is None else kept[0]

    def keep_flow(self, key: str, flow: Flow, until: float) -> None:
        self._flows[key] = (flow, until)

    def holders(self, key: str) -> Mapping[str, float]:
        return dict(self._slots.get(key, {}))

    def hold(self, key: str, holder: str, until: float) -> None:
        self._slots.setdefault(key, {})[holder] = until

    def let_go(self, key: str, holder: str) -> None:
        holders = self._slots.get(key, {})
        holders.pop(holder, None)
        if not holders:
            self._slots.pop(key, None)

    def spent(self, key: str) -> int:
        return self._spent.get(key, (0, 0.0))[0]

    def keep_spent(self, key: str, amount: int, until: float) -> None:
        self._spent[key] = (amount, until)

    def sweep(self, now: float) -> None:
        """Forgets what no longer limits anybody."""
        self._flows = {key: kept for key, kept in self._flows.items() if kept[1] > now}
        self._spent = {key: kept for key, kept in self._spent.items() if kept[1] > now}
        for key, holders in tuple(self._slots.items()):
            for holder in [holder for holder, until in holders.items() if until <= now]:
                self.let_go(key, holder)

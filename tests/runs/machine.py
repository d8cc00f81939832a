"""A store against plain lists: whatever is done in whatever order, both say the same."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import TypeVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from tokenwire.runs.log import Log, Store

from .clock import ClockLoop
from .contract import until
from .record import info

KEEP_SECONDS = 60.0

_T = TypeVar("_T")
_payloads = st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=4)
_run_ids = st.sampled_from(["r1", "r2", "r3", "r4"])
_principals = st.sampled_from(["alice", "bob"])


class Modelled:
    """A log, and the list that it should be."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.records: list[bytes] = []
        self.closed_at: float | None = None
        self.wakes: Counter[str] = Counter()
        self.followers: dict[str, Callable[[], None]] = {}

    @property
    def ample(self) -> int:
        """Bytes that no store would call too few for it."""
        return sum(map(len, self.records)) + 500 * len(self.records) + 5000


class StoreMachine(RuleBasedStateMachine):
    """Subclasses say which store by :meth:`make_store`."""

    logs: Bundle[Modelled] = Bundle("logs")
    followed: Bundle[tuple[Modelled, str]] = Bundle("followed")

    async def make_store(self, *, keep_seconds: float, keep_bytes: int) -> Store:
        raise NotImplementedError

    @initialize(keep_bytes=st.sampled_from([20_000, 1_000_000]))
    def begin(self, keep_bytes: int) -> None:
        self.runner = asyncio.Runner(loop_factory=ClockLoop)
        self.clock = cast(ClockLoop, self.runner.get_loop())
        self.keep_bytes = keep_bytes
        self.store = self.do(self.make_store(keep_seconds=KEEP_SECONDS, keep_bytes=keep_bytes))
        self.current: dict[str, Modelled] = {}
        self.closed: list[Modelled] = []

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.close()

    def do(self, coroutine: Coroutine[None, None, _T]) -> _T:
        return self.runner.run(coroutine)

    def find(self, key: str) -> Log | None:
        return self.do(self.store.find(key))

    @rule(target=logs, run_id=_run_ids, principal=_principals)
    def open(self, run_id: str, principal: str) -> Modelled:
        key = info(run_id, principal).key
        known = self.find(key)
        log, created = self.do(self.store.open(info(run_id, principal)))
        assert created == (known is None)
        if created:
            self.current[key] = Modelled(log)
        assert log is self.current[key].log
        return self.current[key]

    @rule(modelled=logs, payloads=_payloads)
    def append(self, modelled: Modelled, payloads: list[bytes]) -> None:
        if modelled.closed_at is not None:
            try:
                modelled.log.append(payloads)
            except RuntimeError:
                return
            raise AssertionError("a closed log took a record")
        before = Counter(modelled.wakes)
        modelled.records += payloads

        async def append() -> None:
            modelled.log.append(payloads)
            await until(lambda: modelled.log.length == len(modelled.records))
            await self.clock.advance(1)

        self.do(append())
        self.all_woken_since(modelled, before)

    @rule(modelled=logs, payloads=_payloads)
    def close(self, modelled: Modelled, payloads: list[bytes]) -> None:
        before = Counter(modelled.wakes)
        fresh = modelled.closed_at is None
        if fresh:
            modelled.records += payloads
            modelled.closed_at = self.clock.time()
            self.closed.append(modelled)

        async def close() -> None:
            if fresh:
                modelled.log.append(payloads)
            modelled.log.close()
            await until(lambda: modelled.log.closed)

        self.do(close())
        if fresh:
            self.all_woken_since(modelled, before)
            assert self.find(modelled.log.key) is modelled.log or modelled.ample > self.keep_bytes

    @rule(modelled=logs, after=st.integers(0, 20), limit=st.integers(1, 10))
    def read(self, modelled: Modelled, after: int, limit: int) -> None:
        assert list(modelled.log.read(after, limit)) == modelled.records[after : after + limit]

    @rule(target=followed, modelled=logs)
    def follow(self, modelled: Modelled) -> tuple[Modelled, str]:
        name = f"follower {len(modelled.wakes)}"
        modelled.wakes[name] = 0

        def wake() -> None:
            modelled.wakes[name] += 1

        modelled.followers[name] = wake
        modelled.log.follow(wake)
        return modelled, name

    @rule(follower=consumes(followed))
    def unfollow(self, follower: tuple[Modelled, str]) -> None:
        modelled, name = follower
        modelled.log.unfollow(modelled.followers.pop(name))

    @precondition(lambda self: self.closed)
    @rule(seconds=st.sampled_from([1.0, 29.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.do(self.clock.advance(seconds))

    def all_woken_since(self, modelled: Modelled, before: "Counter[str]") -> None:
        woken = {name for name, count in modelled.wakes.items() if count > before[name]}
        assert woken == set(modelled.followers)

    @invariant()
    def every_open_log_is_kept(self) -> None:
        for key, modelled in self.current.items():
            if modelled.closed_at is None:
                assert self.find(key) is modelled.log

    @invariant()
    def every_current_log_says_what_was_appended(self) -> None:
        for modelled in self.current.values():
            log = modelled.log
            assert (log.length, log.closed) == (len(modelled.records), modelled.closed_at is not None)
            assert log.size == sum(map(len, modelled.records))

    @invariant()
    def closed_logs_go_oldest_first_and_in_time(self) -> None:
        kept = []
        for modelled in self.closed:
            found = self.find(modelled.log.key) is modelled.log
            kept.append(found)
            assert modelled.closed_at is not None
            age = self.clock.time() - modelled.closed_at
            assert not (found and age > KEEP_SECONDS)
        assert kept == sorted(kept), "an older log was kept and a newer one was not"

    @invariant()
    def kept_logs_are_within_their_bound(self) -> None:
        kept = [modelled for modelled in self.closed if self.find(modelled.log.key) is modelled.log]
        assert sum(sum(map(len, modelled.records)) for modelled in kept) <= self.keep_bytes
        young = [m for m in self.closed if m.closed_at is not None and self.clock.time() - m.closed_at < KEEP_SECONDS]
        if sum(modelled.ample for modelled in self.closed) <= self.keep_bytes:
            assert len(kept) >= len(young), "a log was dropped before its time, though there was room"

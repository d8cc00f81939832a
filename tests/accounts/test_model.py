"""Accounts against a plain model in exact fractions: whatever is asked in whatever order, both say the same."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tokenwire.accounts.claim import Budget, Claim, Rate, Slot
from tokenwire.accounts.contract import Accounts

from ..runs.redis_server import RedisServer
from .stores import KINDS, Clock, Kind, Place

_T = TypeVar("_T")
_DAY = 86400.0
_rates = st.builds(
    lambda rate, cost: rate._replace(cost=cost),
    st.sampled_from([Rate("slow", 8, 16.0), Rate("fast", 64, 8.0), Rate("one", 1, 4.0)]),
    st.integers(0, 12),
)
_slots = st.builds(
    lambda slot, holder: slot._replace(holder=holder),
    st.sampled_from([Slot("two", 2, "", 4.0), Slot("three", 3, "", 16.0)]),
    st.sampled_from(["a", "b", "c", "d"]),
)
_budgets = st.builds(
    lambda budget, cost: budget._replace(cost=cost),
    st.sampled_from([Budget("day", 20, 0.0), Budget("month", 50, 0.0)]),
    st.integers(0, 15),
)
_claims = st.lists(_rates | _slots | _budgets, min_size=1, max_size=5, unique_by=lambda claim: claim.key)
_amounts = st.lists(_rates | _budgets, min_size=1, max_size=3, unique_by=lambda claim: claim.key)


class Model:
    """What accounts are by definition: of rates the moment of theoretical arrival is kept, as a fraction."""

    def __init__(self) -> None:
        self.arrival: dict[str, Fraction] = {}
        self.ends: dict[tuple[str, str], float] = {}
        self.spent: dict[str, int] = {}

    def room(self, claim: Claim, now: float) -> Fraction | int:
        """Units that may be taken."""
        if isinstance(claim, Rate):
            ahead = max(Fraction(0), self.arrival.get(claim.key, Fraction(0)) - Fraction(now))
            return claim.limit - ahead * claim.limit / Fraction(claim.seconds)
        if isinstance(claim, Slot):
            return claim.limit - sum(key == claim.key and end > now for (key, _), end in self.ends.items())
        return claim.limit - self.spent.get(claim.key, 0)

    def needs(self, claim: Claim, now: float) -> int:
        if isinstance(claim, Slot):
            return int(self.ends.get((claim.key, claim.holder), now) <= now)
        return max(claim.cost, 1) if isinstance(claim, Budget) else claim.cost

    def grants(self, claim: Claim, now: float) -> bool:
        return self.needs(claim, now) == 0 or self.needs(claim, now) <= self.room(claim, now)

    def use(self, claim: Claim, now: float) -> None:
        if isinstance(claim, Rate):
            interval = Fraction(claim.seconds) / claim.limit
            after = max(Fraction(now), self.arrival.get(claim.key, Fraction(0))) + claim.cost * interval
            self.arrival[claim.key] = min(max(after, Fraction(now)), Fraction(now) + Fraction(claim.seconds))
        elif isinstance(claim, Slot):
            self.ends[claim.key, claim.holder] = now + claim.seconds
        else:
            self.spent[claim.key] = max(0, self.spent.get(claim.key, 0) + claim.cost)


class AccountsMachine(RuleBasedStateMachine):
    """Two processes on one place; in memory there is one."""

    make_place: Callable[[], Place]

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.model = Model()
        self.midnight = self.clock() + _DAY
        place = type(self).make_place()
        self.processes = [place.accounts(self.clock), place.accounts(self.clock)]
        for accounts in self.processes:
            self.do(accounts.start())

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            for accounts in self.processes:
                self.do(accounts.close())
            self.runner.close()

    def do(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return self.runner.run(coroutine)

    def accounts(self, second: bool) -> Accounts:
        return self.processes[second]

    def dated(self, claim: Claim) -> Claim:
        return claim._replace(until=self.midnight) if isinstance(claim, Budget) else claim

    @rule(claims=_claims, second=st.booleans())
    def take(self, claims: list[Claim], second: bool) -> None:
        now = self.clock()
        verdict = self.do(self.accounts(second).take([self.dated(claim) for claim in claims]))
        grants = [self.model.grants(claim, now) for claim in claims]
        assert verdict.refused == (None if all(grants) else grants.index(False))
        if all(grants):
            for claim in claims:
                self.model.use(claim, now)
        for claim, granted, standing in zip(claims, grants, verdict.standings, strict=True):
            assert standing.remaining == max(0, math.floor(self.model.room(claim, now)))
            assert (standing.retry == 0) == granted

    @rule(amounts=_amounts, sign=st.sampled_from([1, -1, 3]), second=st.booleans())
    def settle(self, amounts: list[Rate | Budget], sign: int, second: bool) -> None:
        signed = [amount._replace(cost=sign * amount.cost) for amount in amounts]
        self.do(self.accounts(second).settle([self.dated(amount) for amount in signed]))  # type: ignore[misc]
        for amount in signed:
            self.model.use(amount, self.clock())

    @rule(slots=st.lists(_slots, max_size=3), second=st.booleans())
    def renew(self, slots: list[Slot], second: bool) -> None:
        self.do(self.accounts(second).renew(slots))
        for slot in slots:
            self.model.use(slot, self.clock())

    @rule(slots=st.lists(_slots, max_size=3), second=st.booleans())
    def release(self, slots: list[Slot], second: bool) -> None:
        self.do(self.accounts(second).release(slots))
        for slot in slots:
            self.model.ends.pop((slot.key, slot.holder), None)

    @rule(eighths=st.integers(1, 64))
    def wait(self, eighths: int) -> None:
        self.clock.advance(eighths / 8)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_asked_the_model_says_the_same(kind: Kind, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    numbers = count()

    def make_place() -> Place:
        if kind == "sqlite":
            return Place(kind, str(tmp_path / f"{next(numbers)}.db"))
        if kind == "memory":
            return Place(kind)
        server: RedisServer = request.getfixturevalue("redis")
        with server.client() as client:
            client.flushall()
        return Place(kind, server.url)

    class Placed(AccountsMachine):
        pass

    Placed.make_place = staticmethod(make_place)
    examples = 100 if kind == "memory" else 25
    run_state_machine_as_test(Placed, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None))

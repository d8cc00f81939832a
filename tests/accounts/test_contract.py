"""What all accounts promise (:mod:`tokenwire.accounts.contract`), wherever they are kept."""

import math
from collections.abc import Sequence

import pytest

from tokenwire.accounts.claim import Budget, Claim, Rate, Slot, Verdict
from tokenwire.accounts.contract import Accounts, Selection
from tokenwire.accounts.entry import Entry

from .conftest import Open
from .stores import KINDS, Clock

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("kind", KINDS)]

RATE = Rate("requests:alice", 4, 60)
SLOT = Slot("runs:alice", 2, "run 1", 10)
EVERYTHING = Selection()
YEAR = 365 * 86400.0


@pytest.fixture
def budget(clock: Clock) -> Budget:
    return Budget("day:alice", 100, clock() + 86400)


@pytest.fixture
async def accounts(open_: Open) -> Accounts:
    return await open_()


def entry(run_id: str = "run", principal: str = "alice", *, started: float = 1000.0, model: str = "small") -> Entry:
    return Entry(
        run_id=run_id,
        thread_id="thread",
        principal=principal,
        wire="rais",
        model_asked=model,
        outcome="finished",
        started=started,
        seconds=2.5,
        counted="reported",
    )


async def granted(accounts: Accounts, *claims: Claim) -> bool:
    return (await accounts.take(claims)).refused is None


async def how_many(accounts: Accounts, claim: Claim, most: int) -> int:
    """How often it is granted in a row."""
    for count in range(most):
        if not await granted(accounts, claim):
            return count
    return most


async def ledger(accounts: Accounts, selection: Selection = EVERYTHING) -> list[Entry]:
    return [entry async for entry in accounts.entries(selection)]


def remaining(verdict: Verdict) -> Sequence[int]:
    return [standing.remaining for standing in verdict.standings]


# rates


async def test_a_rate_is_a_burst_of_all_and_then_a_steady_flow(accounts: Accounts, clock: Clock) -> None:
    for left in (3, 2, 1, 0):
        verdict = await accounts.take([RATE])
        (standing,) = verdict.standings
        assert (verdict.refused, standing.remaining, standing.retry) == (None, left, 0)
        assert standing.reset == 15
    verdict = await accounts.take([RATE])
    (standing,) = verdict.standings
    assert (verdict.refused, standing.remaining, standing.reset) == (0, 0, 15)
    assert standing.retry == pytest.approx(15, abs=0.01)
    clock.advance(14.9)
    assert not await granted(accounts, RATE)
    clock.advance(0.1)
    assert await how_many(accounts, RATE, 9) == 1
    clock.advance(45)
    assert await how_many(accounts, RATE, 9) == 3


@pytest.mark.parametrize(("limit", "seconds"), [(7, 60.0), (977, 3600.0), (1000, 60.0), (600, 0.7)])
async def test_a_rate_grants_exactly_its_limit_at_once(accounts: Accounts, limit: int, seconds: float) -> None:
    assert await how_many(accounts, Rate("r", limit, seconds), limit + 5) == limit


@pytest.mark.parametrize(("limit", "seconds"), [(7, 60.0), (977, 3600.0), (90_000_000, 60.0), (3, 0.7)])
async def test_who_waits_as_long_as_told_is_granted(
    accounts: Accounts, clock: Clock, limit: int, seconds: float
) -> None:
    assert await granted(accounts, Rate("r", limit, seconds, limit))
    for part in (3, 2, 1, 3):
        rate = Rate("r", limit, seconds, limit // part)
        verdict = await accounts.take([rate])
        assert verdict.refused == 0
        clock.advance(verdict.standings[0].retry)
        assert await granted(accounts, rate)


async def test_a_rate_is_taken_in_portions(accounts: Accounts) -> None:
    tokens = Rate("tokens", 100, 60, cost=70)
    assert remaining(await accounts.take([tokens])) == [30]
    assert remaining(await accounts.take([tokens])) == [30]
    assert remaining(await accounts.take([tokens._replace(cost=30)])) == [0]
    verdict = await accounts.take([tokens._replace(cost=0)])
    assert (verdict.refused, remaining(verdict)) == (None, [0])


async def test_a_rate_says_when_the_next_unit_can_be_had(accounts: Accounts, clock: Clock) -> None:
    assert (await accounts.take([RATE._replace(cost=0)])).standings[0].reset == 0
    assert await granted(accounts, RATE._replace(cost=2))
    clock.advance(5)
    standing = (await accounts.take([RATE._replace(cost=0)])).standings[0]
    assert standing.remaining == 2
    assert standing.reset == pytest.approx(10)
    clock.advance(standing.reset)
    assert (await accounts.take([RATE._replace(cost=0)])).standings[0].remaining == 3


async def test_what_is_over_the_limit_by_itself_is_never_granted(accounts: Accounts, budget: Budget) -> None:
    claims: list[Claim] = [RATE._replace(cost=5), RATE._replace(limit=0), SLOT._replace(limit=0)]
    claims += [budget._replace(cost=101), budget._replace(limit=0)]
    for claim in claims:
        verdict = await accounts.take([claim])
        assert (verdict.refused, verdict.standings[0].retry) == (0, math.inf)
    assert remaining(await accounts.take([RATE, SLOT, budget])) == [3, 1, 100]


async def test_a_limit_that_was_lowered_counts_at_once(accounts: Accounts, clock: Clock) -> None:
    assert await granted(accounts, RATE._replace(limit=1000, cost=1000))
    verdict = await accounts.take([RATE])
    assert (verdict.refused, verdict.standings[0].reset) == (0, 15)
    clock.advance(15)
    assert await granted(accounts, RATE)


# slots


async def test_slots_are_so_many_at_a_time(accounts: Accounts) -> None:
    first, second, third = (SLOT._replace(holder=name) for name in "abc")
    assert remaining(await accounts.take([first])) == [1]
    assert remaining(await accounts.take([second])) == [0]
    verdict = await accounts.take([third])
    assert (verdict.refused, remaining(verdict)) == (0, [0])
    assert verdict.standings[0].retry == pytest.approx(10, abs=0.01)
    await accounts.release([first, first._replace(holder="unknown"), first._replace(key="unknown")])
    assert await granted(accounts, third)
    assert not await granted(accounts, first)


async def test_a_slot_of_one_who_is_gone_frees_itself_and_that_of_one_who_renews_does_not(
    accounts: Accounts, clock: Clock
) -> None:
    gone, alive, next_one = (SLOT._replace(holder=name) for name in "abc")
    assert await granted(accounts, gone)
    clock.advance(4)
    assert await granted(accounts, alive)
    clock.advance(5)
    await accounts.renew([alive])
    verdict = await accounts.take([next_one])
    assert verdict.refused == 0
    assert verdict.standings[0].retry == pytest.approx(1, abs=0.01)
    assert verdict.standings[0].reset == pytest.approx(10)
    clock.advance(verdict.standings[0].retry)
    assert await granted(accounts, next_one)
    clock.advance(5)
    assert not await granted(accounts, gone)


async def test_a_holder_who_takes_again_renews(accounts: Accounts, clock: Clock) -> None:
    assert await how_many(accounts, SLOT, 5) == 5
    clock.advance(9)
    assert remaining(await accounts.take([SLOT])) == [1]
    clock.advance(9)
    other = SLOT._replace(limit=1, holder="other")
    assert not await granted(accounts, other)
    clock.advance(1)
    assert await granted(accounts, other)


async def test_a_slot_that_was_lost_is_renewed_whatever_the_limit(accounts: Accounts) -> None:
    slots = [SLOT._replace(holder=name) for name in "abcd"]
    await accounts.renew(slots)
    assert await granted(accounts, slots[0])
    verdict = await accounts.take([SLOT._replace(holder="e")])
    assert (verdict.refused, remaining(verdict)) == (0, [0])
    await accounts.release(slots[:2])
    assert not await granted(accounts, SLOT._replace(holder="e"))
    await accounts.release(slots[2:3])
    assert await granted(accounts, SLOT._replace(holder="e"))


async def test_a_slot_is_free_when_enough_of_too_many_are(accounts: Accounts, clock: Clock) -> None:
    for name in "abcd":
        await accounts.renew([SLOT._replace(holder=name)])
        clock.advance(1)
    verdict = await accounts.take([SLOT])
    assert verdict.standings[0].retry == pytest.approx(8, abs=0.01)
    clock.advance(verdict.standings[0].retry)
    assert await granted(accounts, SLOT)


# budgets


async def test_a_budget_is_spent_and_given_back(accounts: Accounts, budget: Budget) -> None:
    assert remaining(await accounts.take([budget._replace(cost=60)])) == [40]
    verdict = await accounts.take([budget._replace(cost=41)])
    assert (verdict.refused, remaining(verdict)) == (0, [40])
    assert verdict.standings[0].retry == pytest.approx(86400, abs=0.01)
    await accounts.settle([budget._replace(cost=-20)])
    assert remaining(await accounts.take([budget._replace(cost=60)])) == [0]
    await accounts.settle([budget._replace(cost=-1000)])
    assert remaining(await accounts.take([budget])) == [100]


async def test_a_budget_that_is_used_up_grants_not_even_what_costs_nothing_yet(
    accounts: Accounts, budget: Budget
) -> None:
    await accounts.settle([budget._replace(cost=99)])
    assert await granted(accounts, budget)
    await accounts.settle([budget._replace(cost=500)])
    for _ in range(2):
        verdict = await accounts.take([RATE, budget])
        assert (verdict.refused, remaining(verdict)) == (1, [4, 0])
    await accounts.settle([budget._replace(cost=-500)])
    assert remaining(await accounts.take([budget])) == [1]


async def test_large_sums_stay_exact(accounts: Accounts, budget: Budget) -> None:
    large = budget._replace(limit=9_000_000_000_000_000)
    await accounts.settle([large._replace(cost=8_999_999_999_999_998)])
    assert remaining(await accounts.take([large._replace(cost=1)])) == [1]


async def test_what_is_settled_after_the_period_harms_nobody(accounts: Accounts, budget: Budget, clock: Clock) -> None:
    clock.advance(2 * 86400)
    await accounts.settle([budget._replace(cost=7)])
    assert remaining(await accounts.take([Budget("next day", 100, clock() + 86400, 1)])) == [99]


# settling rates


async def test_a_rate_is_settled_either_way(accounts: Accounts) -> None:
    tokens = Rate("tokens", 100, 50, cost=10)
    assert await granted(accounts, tokens)
    await accounts.settle([tokens._replace(cost=50)])
    assert remaining(await accounts.take([tokens._replace(cost=0)])) == [40]
    await accounts.settle([tokens._replace(cost=-30)])
    assert remaining(await accounts.take([tokens._replace(cost=0)])) == [70]
    await accounts.settle([tokens._replace(cost=-500)])
    assert remaining(await accounts.take([tokens._replace(cost=0)])) == [100]


async def test_a_debt_is_of_one_period_at_most(accounts: Accounts, clock: Clock) -> None:
    await accounts.settle([RATE._replace(cost=1_000_000)])
    assert not await granted(accounts, RATE)
    clock.advance(60)
    assert await how_many(accounts, RATE, 9) == 4


# several at once


@pytest.mark.parametrize("full", ["rate", "slot", "budget", "all"])
async def test_of_a_refused_set_nothing_is_taken(accounts: Accounts, budget: Budget, full: str) -> None:
    claims: list[Claim] = [RATE, SLOT, budget._replace(cost=10)]
    fill: dict[str, list[Claim]] = {
        "rate": [RATE._replace(cost=4)],
        "slot": [SLOT._replace(holder="x"), SLOT._replace(holder="y")],
        "budget": [budget._replace(cost=95)],
    }
    filled = list(fill) if full == "all" else [full]
    for name in filled:
        for claim in fill[name]:
            assert await granted(accounts, claim)
    before = [0 if "rate" in filled else 4, 0 if "slot" in filled else 2, 5 if "budget" in filled else 100]
    for _ in range(3):
        verdict = await accounts.take(claims)
        assert verdict.refused == list(fill).index(filled[0])
        assert remaining(verdict) == before
        assert [standing.retry > 0 for standing in verdict.standings] == [name in filled for name in fill]
    # one who holds nothing has to ask, for a holder's own slot is always granted
    other = await accounts.take([SLOT._replace(holder="z")])
    assert (other.refused is None) == ("slot" not in filled)


async def test_a_verdict_is_in_the_order_of_the_claims(accounts: Accounts, budget: Budget) -> None:
    claims: list[Claim] = [budget, SLOT, RATE, Rate("other", 9, 60)]
    verdict = await accounts.take(claims)
    assert [(standing.key, standing.limit) for standing in verdict.standings] == [(c.key, c.limit) for c in claims]
    assert await accounts.take([]) == Verdict(())


async def test_names_that_are_alike_are_different_things(accounts: Accounts, budget: Budget) -> None:
    claims: list[Claim] = [RATE._replace(key="é:1 2"), RATE._replace(key="é:1"), SLOT._replace(key="é:1:"), budget]
    assert remaining(await accounts.take(claims)) == [3, 3, 1, 100]


# clocks that jump


@pytest.mark.parametrize("back", [-1.0, -YEAR])
async def test_a_clock_that_is_set_back_costs_one_more_period(accounts: Accounts, clock: Clock, back: float) -> None:
    assert await granted(accounts, RATE._replace(cost=4), SLOT._replace(limit=1))
    clock.advance(back)
    assert not await granted(accounts, RATE)
    assert not await granted(accounts, SLOT._replace(limit=1, holder="other"))
    clock.advance(10 if back == -YEAR else 9)
    assert not await granted(accounts, RATE)
    clock.advance(60 if back == -YEAR else 52)
    assert await how_many(accounts, RATE, 9) == 4
    assert await granted(accounts, SLOT._replace(limit=1, holder="other"))


async def test_a_clock_that_was_ahead_for_a_while_locks_nothing(accounts: Accounts, clock: Clock) -> None:
    clock.advance(YEAR)
    await accounts.settle([RATE._replace(cost=1_000_000)])
    await accounts.renew([SLOT._replace(holder=name) for name in "ab"])
    clock.advance(-YEAR)
    assert not await granted(accounts, RATE, SLOT)
    clock.advance(60)
    assert await granted(accounts, RATE, SLOT)


# the ledger


async def test_an_entry_comes_back_as_it_was(accounts: Accounts) -> None:
    whole = Entry(
        run_id="run é",
        thread_id="thread",
        principal="alice",
        key="tw_ab12",
        wire="tanstack",
        model_asked="small",
        model_served="openai/gpt",
        outcome="failed",
        code="upstream_error",
        started=1_795_000_000.125,
        seconds=3.25,
        first_token_seconds=0.5,
        prompt_tokens=10,
        completion_tokens=20,
        cached_tokens=3,
        cache_write_tokens=4,
        reasoning_tokens=5,
        counted="estimated",
        cost=123_456,
    )
    await accounts.write(whole)
    await accounts.write(entry())
    assert await ledger(accounts) == [whole, entry()]


async def test_an_entry_is_written_once_for_a_run_of_a_principal(accounts: Accounts) -> None:
    for written in (entry(), entry(model="large"), entry(principal="bob"), entry("2"), entry(), entry("2")):
        await accounts.write(written)
    assert await ledger(accounts) == [entry(), entry(principal="bob"), entry("2")]


async def test_entries_are_selected_by_everything_that_is_named(accounts: Accounts) -> None:
    entries = [
        entry("1", started=10),
        entry("2", principal="bob", started=20),
        entry("3", started=30, model="large"),
        entry("4", started=15),
    ]
    for written in entries:
        await accounts.write(written)
    first, second, third, fourth = entries
    assert await ledger(accounts, Selection(principal="alice")) == [first, third, fourth]
    assert await ledger(accounts, Selection(model="large")) == [third]
    assert await ledger(accounts, Selection(since=15, until=30)) == [second, fourth]
    assert await ledger(accounts, Selection(principal="alice", until=15)) == [first]
    assert await ledger(accounts, Selection(key="tw_ab12")) == []


async def test_a_long_ledger_is_read_to_its_end(accounts: Accounts) -> None:
    for number in range(1201):
        await accounts.write(entry(str(number), model="odd" if number % 2 else "even"))
    assert [entry.run_id for entry in await ledger(accounts)] == [str(number) for number in range(1201)]
    assert len(await ledger(accounts, Selection(model="odd"))) == 600


async def test_the_oldest_entries_of_too_many_go(open_: Open) -> None:
    accounts = await open_(keep=3)
    for number in range(10):
        await accounts.write(entry(str(number)))
    await accounts.write(entry("8", model="again"))
    assert await ledger(accounts) == [entry(str(number)) for number in (7, 8, 9)]
    await accounts.write(entry("0"))
    assert await ledger(accounts) == [entry(str(number)) for number in (8, 9, 0)]


# more than one process


async def test_every_process_sees_the_same(open_: Open, budget: Budget) -> None:
    here, there = await open_(), await open_()
    claims: list[Claim] = [RATE, SLOT, budget._replace(cost=10)]
    await here.take(claims)
    assert remaining(await there.take([RATE, SLOT._replace(holder="run 2"), budget])) == [2, 0, 90]
    await there.release([SLOT])
    await there.settle([budget._replace(cost=90), RATE._replace(cost=2)])
    assert await granted(here, SLOT._replace(holder="run 3"))
    assert not await granted(here, budget)
    assert not await granted(here, RATE)
    await there.write(entry())
    await here.write(entry(model="other"))
    assert await ledger(here) == [entry()]


async def test_what_no_longer_matters_is_forgotten_and_nothing_else(accounts: Accounts, clock: Clock) -> None:
    long = Budget("month", 100, clock() + 30 * 86400, cost=30)
    assert await granted(accounts, long, SLOT._replace(seconds=86400), Rate("hourly", 10, 3600, 8))
    clock.advance(1800)
    for _ in range(1005):
        await accounts.take([Rate("busy", 1, 1)])
    assert remaining(await accounts.take([long, Rate("hourly", 10, 3600, 0)])) == [40, 7]
    assert not await granted(accounts, SLOT._replace(seconds=86400, limit=1, holder="other"))

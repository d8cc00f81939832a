"""Who may begin a run, and what that takes."""

import asyncio
from typing import Any

import pytest

from tokenwire.accounts.claim import Budget, Rate, Slot
from tokenwire.config.accounts import Budget as BudgetTable
from tokenwire.config.accounts import Budgets, Rates
from tokenwire.config.accounts import Rate as RateTable
from tokenwire.errors import Code, Refusal
from tokenwire.gate.admission import SLOT_SECONDS
from tokenwire.gate.budget import periods
from tokenwire.gate.principal import Principal, Scopes
from tokenwire.routing.model import Model

from ..runs.source import ScriptedSource
from .conftest import Staged
from .stage import PROMPT_TOKENS, STEP, ShakyAccounts, Stage, usage

pytestmark = pytest.mark.anyio

PER_KEY = Rates(per_key=RateTable(requests_per_minute=2, tokens_per_minute=100, concurrent_runs=2))
REQUESTS = Rate("requests:key:tw_ada", 2, 60)
TOKENS = Rate("tokens:key:tw_ada", 100, 60)
RUNS = Slot("runs:key:tw_ada", 2, "probe", SLOT_SECONDS)


async def refused(stage: Stage, run_id: str, **who: Any) -> Refusal:
    source = ScriptedSource()
    with pytest.raises(Refusal) as caught:
        await stage.ask(run_id, source, **who)
    assert source.starts == 0
    return caught.value


async def test_a_run_takes_a_request_its_prompt_and_a_slot_until_it_ends(staged: Staged) -> None:
    stage, source = staged(PER_KEY), ScriptedSource()
    await stage.ask("r", source)
    assert (await stage.standing(REQUESTS)).remaining == 1
    assert (await stage.standing(TOKENS)).remaining == 100 - PROMPT_TOKENS
    assert (await stage.standing(RUNS)).remaining == 1
    source.run.finish("stop", usage=usage(30, 12))
    await stage.rest()
    assert (await stage.standing(REQUESTS)).remaining == 1
    assert (await stage.standing(TOKENS)).remaining == 100 - 42
    assert (await stage.standing(RUNS)).remaining == 2


async def test_the_answer_says_how_things_stand(staged: Staged) -> None:
    begun = await staged(PER_KEY).ask()
    assert begun.headers == {
        "ratelimit-policy": (
            '"requests-per-key";q=2;w=60, "runs-per-key";q=2;qu="concurrent-requests", '
            '"tokens-per-key";q=100;qu="tokens";w=60'
        ),
        "ratelimit": '"requests-per-key";r=1;t=30, "runs-per-key";r=1, "tokens-per-key";r=80;t=1',
    }


async def test_too_many_requests_are_refused_and_take_nothing(staged: Staged) -> None:
    stage, sources = staged(PER_KEY), [ScriptedSource(), ScriptedSource()]
    for number, source in enumerate(sources):
        await stage.ask(str(number), source)
        source.run.finish("stop", usage=usage(20, 0))
    await stage.rest()
    refusal = await refused(stage, "third")
    assert (refusal.code, refusal.status, refusal.retry_after) == (Code.rate_limited, 429, 31)
    assert refusal.headers["ratelimit"].startswith('"requests-per-key";r=0;t=30')
    assert (await stage.standing(TOKENS)).remaining == 60
    assert (await stage.standing(RUNS)).remaining == 2
    stage.clock.advance(30.1)
    await stage.ask("third")


async def test_too_many_runs_at_once_are_refused_until_one_ends(staged: Staged) -> None:
    stage, source = staged(Rates(per_principal=RateTable(concurrent_runs=1))), ScriptedSource()
    await stage.ask("first", source)
    refusal = await refused(stage, "second")
    assert (refusal.code, refusal.status) == (Code.too_many_runs, 429)
    assert refusal.retry_after is not None
    assert 0 < refusal.retry_after <= SLOT_SECONDS + 1
    source.run.cancel()
    await stage.rest()
    await stage.ask("second")


async def test_a_question_larger_than_a_minute_is_never_granted(staged: Staged) -> None:
    stage = staged(PER_KEY)
    refusal = await refused(stage, "r", text="x" * 1000)
    assert (refusal.code, refusal.retry_after) == (Code.rate_limited, None)


@pytest.mark.parametrize(
    ("rates", "other"),
    [
        (Rates(per_key=RateTable(requests_per_minute=1)), {"principal": Principal(name="ada", key="tw_other")}),
        (Rates(per_principal=RateTable(requests_per_minute=1)), {"principal": Principal(name="bob", key="tw_bob")}),
        (Rates(per_ip=RateTable(requests_per_minute=1)), {"address": "192.0.2.2"}),
    ],
    ids=["key", "principal", "address"],
)
async def test_whom_a_limit_is_about(staged: Staged, rates: Rates, other: dict[str, Any]) -> None:
    stage = staged(rates)
    await stage.ask("first")
    assert (await refused(stage, "second")).code is Code.rate_limited
    await stage.ask("third", **other)


async def test_a_keys_own_scopes_come_before_those_of_all_keys(staged: Staged) -> None:
    stage = staged(Rates(per_key=RateTable(requests_per_minute=1)))
    generous = Principal(name="ada", key="tw_ada", scopes=Scopes(requests_per_minute=2))
    for run_id in ("first", "second"):
        await stage.ask(run_id, principal=generous)
    await refused(stage, "third", principal=generous)
    nothing = Principal(name="eve", key="tw_eve", scopes=Scopes(requests_per_minute=0))
    await refused(stage, "r", principal=nothing)


async def test_scopes_without_a_key_limit_the_principal(staged: Staged) -> None:
    stage, token = staged(), Principal(name="jwt:ada", scopes=Scopes(concurrent_runs=1))
    await stage.ask("first", principal=token)
    assert (await refused(stage, "second", principal=token)).code is Code.too_many_runs


async def test_whoever_attaches_takes_nothing(staged: Staged) -> None:
    stage = staged(Rates(per_key=RateTable(requests_per_minute=1, concurrent_runs=1)))
    first = await stage.ask("r")
    again = await stage.ask("r", source := ScriptedSource())
    assert again.log is first.log
    assert (again.headers, source.starts) == ({}, 0)


async def test_of_requests_for_one_run_at_once_one_pays(staged: Staged) -> None:
    stage = staged(Rates(per_key=RateTable(requests_per_minute=1, concurrent_runs=1)))
    sources = [ScriptedSource() for _ in range(5)]
    begun = await asyncio.gather(*(stage.ask("r", source) for source in sources))
    assert len({one.log.key for one in begun}) == 1
    assert sum(source.starts for source in sources) == 1


async def test_what_the_engine_refuses_is_refunded(staged: Staged) -> None:
    stage = staged(PER_KEY, Budgets(per_key=BudgetTable(day_tokens=100)))
    stage.engine.leave()
    assert (await refused(stage, "r")).code is Code.shutting_down
    await stage.rest()
    day, _ = periods(stage.clock())
    assert (await stage.standing(REQUESTS)).remaining == 2
    assert (await stage.standing(TOKENS)).remaining == 100
    assert (await stage.standing(RUNS)).remaining == 2
    assert (await stage.standing(Budget(f"tokens:{day.name}:key:tw_ada", 100, day.until))).remaining == 100
    assert await stage.entries() == []


async def test_a_budget_has_to_hold_the_question_and_a_step_of_its_answer(staged: Staged) -> None:
    needed = PROMPT_TOKENS + STEP
    await staged(budgets=Budgets(per_principal=BudgetTable(month_tokens=needed))).ask()
    refusal = await refused(staged(budgets=Budgets(per_principal=BudgetTable(month_tokens=needed - 1))), "r")
    assert (refusal.code, refusal.status) == (Code.budget_exhausted, 402)
    assert refusal.headers == {}


async def test_a_used_up_budget_is_one_until_its_period_ends(staged: Staged) -> None:
    stage, source = staged(budgets=Budgets(per_key=BudgetTable(day_dollars=0.001))), ScriptedSource()
    await stage.ask("first", source)
    source.run.finish("stop", usage=usage(100, 90))  # 100 + 900 millionths
    await stage.rest()
    refusal = await refused(stage, "second")
    day, _ = periods(stage.clock())
    assert refusal.code is Code.budget_exhausted
    assert refusal.message == "The day's budget of $0.001 for this key is used up."
    assert refusal.retry_after == pytest.approx(day.until - stage.clock(), abs=2)
    stage.clock.now = day.until
    await stage.ask("second")


async def test_a_model_without_a_price_is_nothing_for_a_budget_in_dollars(staged: Staged) -> None:
    stage = staged(budgets=Budgets(per_key=BudgetTable(day_dollars=1.0)))
    assert (await refused(stage, "r", model=Model("agent", ()))).code is Code.refused_choice


async def test_accounts_out_of_reach_grant_nothing(staged: Staged) -> None:
    accounts = ShakyAccounts()
    stage = staged(PER_KEY, accounts=accounts)
    accounts.away = True
    assert (await refused(stage, "r")).code is Code.store_unavailable


async def test_trying_again_makes_sense_when_nothing_is_against_it_any_more(staged: Staged) -> None:
    budgets = Budgets(per_key=BudgetTable(day_tokens=PROMPT_TOKENS + STEP))
    stage = staged(Rates(per_key=RateTable(requests_per_minute=1)), budgets)
    await stage.ask("first", ScriptedSource())
    refusal = await refused(stage, "second")
    day, _ = periods(stage.clock())
    assert refusal.code is Code.rate_limited
    assert refusal.retry_after is not None
    assert 0 <= refusal.retry_after - (day.until - stage.clock()) <= 1


async def test_whoever_is_gone_before_it_is_granted_has_taken_nothing(staged: Staged) -> None:
    """The answer of the accounts comes when nobody waits for it any more."""
    accounts = ShakyAccounts()
    stage = staged(PER_KEY, Budgets(per_key=BudgetTable(day_tokens=100)), accounts)
    asking = asyncio.create_task(stage.ask("r", source := ScriptedSource()))
    await accounts.asked.wait()
    asking.cancel()
    await asyncio.wait([asking])
    await stage.rest()
    day, _ = periods(stage.clock())
    assert source.starts == 0
    assert (await stage.standing(REQUESTS)).remaining == 2
    assert (await stage.standing(RUNS)).remaining == 2
    assert (await stage.standing(Budget(f"tokens:{day.name}:key:tw_ada", 100, day.until))).remaining == 100

"""Models that an agent asks are paid for from the same budgets, and are in its row."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tokenwire import events
from tokenwire.accounts.claim import Budget, Slot
from tokenwire.accounts.memory import MemoryAccounts
from tokenwire.accounts.records.memory import MemoryRecords
from tokenwire.agents.agent import Agent, AgentFunction
from tokenwire.agents.ask import Ask
from tokenwire.agents.pieces import Piece
from tokenwire.agents.source import AgentSource
from tokenwire.config.accounts import Budget as BudgetTable
from tokenwire.config.accounts import Budgets, Rates
from tokenwire.config.accounts import Rate as RateTable
from tokenwire.errors import Code, Failure, UpstreamFailure
from tokenwire.gate.admission import SLOT_SECONDS
from tokenwire.gate.budget import periods
from tokenwire.ledger.opening import Openings
from tokenwire.ledger.row import Spent, added_up
from tokenwire.runs.log import Log, RunInfo
from tokenwire.runs.run import Run

from ..runs.source import ScriptedSource
from .conftest import Staged
from .stage import AGENT, PROMPT_TOKENS, QUESTION, STEP, ShakyAccounts, Stage, say, usage

pytestmark = pytest.mark.anyio


class Asked(ScriptedSource):
    """A model that an agent asks. Tests wait until it is."""

    def __init__(self) -> None:
        super().__init__(on_start=lambda _: self.begun.set())
        self.begun = asyncio.Event()


async def ask(stage: Stage, function: AgentFunction, *models: ScriptedSource) -> Log:
    """Asks an agent, whose questions to models are answered by these in turn."""
    answers = iter(models)
    given = Ask(messages=(stage.question(QUESTION),), thread_id="t", run_id="r", models=lambda _, __: next(answers))
    begun = await stage.ask(source=AgentSource(Agent("helper", function), given, set()), model=AGENT)
    return begun.log


async def passes_on(ask: Ask) -> Any:
    return ask.model("small")


def tokens(limit: int) -> Budgets:
    return Budgets(per_key=BudgetTable(day_tokens=limit))


async def spent(stage: Stage, limit: int, unit: str = "tokens") -> int:
    await stage.rest()
    day, _ = periods(stage.clock())
    return limit - (await stage.standing(Budget(f"{unit}:{day.name}:key:tw_ada", limit, day.until))).remaining


async def test_all_calls_are_one_row_and_nothing_counts_twice(staged: Staged) -> None:
    # a call is no request of its own, and no run
    rates, openings = Rates(per_key=RateTable(requests_per_minute=1, concurrent_runs=1)), Openings(MemoryRecords())
    stage, first, second = staged(rates, tokens(1000), openings=openings), Asked(), Asked()

    async def twice(ask: Ask) -> AsyncIterator[Piece]:
        yield "Let me see. "
        for _ in range(2):
            async for piece in ask.model("small"):
                yield piece

    await ask(stage, twice, first, second)
    await first.begun.wait()
    first.run.served = "own/up"
    say(first, ["a"] * 3)
    first.run.finish("stop", usage=usage(30, 3, cached_tokens=10))
    await second.begun.wait()
    opening = await openings.take(RunInfo("ada", "t", "r", "rais"))
    assert opening is not None
    assert opening.taken == ()  # it is the calls' now
    second.run.served = "own/up"
    second.run.finish("stop", usage=usage(50, 7))
    await stage.engine.idle()
    (entry,) = await stage.entries()
    assert (entry.model_asked, entry.outcome, entry.counted) == ("helper", "finished", "reported")
    assert (entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens) == (80, 10, 10)
    assert entry.cost == (20 + 5 + 30) + (50 + 70)
    assert await spent(stage, 1000) == 90


@pytest.mark.parametrize("turns", range(8))
async def test_what_an_agent_tells_beside_its_calls_costs_nothing(staged: Staged, turns: int) -> None:
    """Wherever its own account stands when the first call takes over: being paid, held, or done with that."""
    stage, model = staged(budgets=tokens(1000), accounts=ShakyAccounts()), Asked()

    async def talks(ask: Ask) -> AsyncIterator[Piece]:
        async def read() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            assert [piece async for piece in ask.model("small")]

        behind = asyncio.create_task(read())
        yield "abcd" * STEP
        await behind
        for _ in range(10 * STEP):
            yield "abcd"
            await asyncio.sleep(0)

    await ask(stage, talks, model)
    await model.begun.wait()
    model.run.finish("stop", usage=usage(5, 6))
    async with asyncio.timeout(10):
        await stage.engine.idle()
    (entry,) = await stage.entries()
    assert (entry.outcome, entry.prompt_tokens, entry.completion_tokens) == ("finished", 5, 6)
    assert await spent(stage, 1000) == 11


def test_a_sum_without_one_of_its_prices_has_none() -> None:
    priced = Spent(events.Usage(prompt_tokens=1, completion_tokens=2), "reported", 3)
    unknown = Spent(events.Usage(), "unknown", None)
    assert added_up([priced, priced]) == Spent(events.Usage(prompt_tokens=2, completion_tokens=4), "reported", 6)
    assert added_up([priced, priced._replace(cost=None)]).cost is None
    assert added_up([priced, unknown]) == priced._replace(counted="estimated")
    assert added_up([unknown, unknown]) == unknown


async def test_a_call_is_paid_for_in_steps_and_ends_where_the_budget_does(staged: Staged) -> None:
    limit = PROMPT_TOKENS + 2 * STEP
    stage, model = staged(budgets=tokens(limit)), Asked()
    await ask(stage, passes_on, model)
    await model.begun.wait()
    assert await spent(stage, limit) == PROMPT_TOKENS + STEP
    for _ in range(3 * STEP):
        say(model, ["a"])
        await asyncio.sleep(0)
    assert model.stops == 1
    await stage.engine.idle()
    (entry,) = await stage.entries()
    assert (entry.code, entry.counted) == (Code.budget_exhausted, "estimated")
    assert (entry.prompt_tokens, entry.completion_tokens) == (PROMPT_TOKENS, 2 * STEP)
    assert await spent(stage, limit) == limit


async def test_what_an_agent_does_not_pass_on_is_paid_for_as_well(staged: Staged) -> None:
    stage, model = staged(budgets=tokens(PROMPT_TOKENS + STEP)), Asked()

    async def sums_up(ask: Ask) -> str:
        return str(len([piece async for piece in ask.model("small")]))

    await ask(stage, sums_up, model)
    await model.begun.wait()
    say(model, ["a"] * STEP)
    await stage.engine.idle()
    assert (await stage.entries())[0].code == Code.budget_exhausted
    assert model.stops == 1


async def test_a_call_costs_what_its_model_does(staged: Staged) -> None:
    dollars = PROMPT_TOKENS + STEP * 10
    stage, model = staged(budgets=Budgets(per_key=BudgetTable(day_dollars=dollars / 1e6))), Asked()
    await ask(stage, passes_on, model)
    await model.begun.wait()
    assert await spent(stage, dollars, "dollars") == dollars
    say(model, ["a"] * STEP)
    await stage.engine.idle()
    (entry,) = await stage.entries()
    assert (entry.code, entry.cost) == (Code.budget_exhausted, dollars)


async def test_an_agent_may_go_on_where_a_call_is_refused(staged: Staged) -> None:
    stage = staged(budgets=tokens(PROMPT_TOKENS + STEP))

    async def asks_for_more(ask: Ask) -> AsyncIterator[Piece]:
        try:
            async for piece in ask.model("small", [stage.question("x" * 1000)]):
                yield piece
        except Failure as failure:
            yield failure.code

    log = await ask(stage, asks_for_more, model := Asked())
    await stage.engine.idle()
    assert b"budget_exhausted" in b"".join(log.read(0, 100))
    (entry,) = await stage.entries()
    assert (entry.outcome, entry.prompt_tokens, entry.completion_tokens, entry.cost) == ("finished", 0, 0, 0)
    assert model.starts == 0
    assert await spent(stage, 1000) == 0


@pytest.mark.parametrize("end", [Run.cancel, Run.abandon])
async def test_a_call_does_not_outlive_its_run(staged: Staged, end: Any) -> None:
    stage, model = staged(Rates(per_key=RateTable(concurrent_runs=1)), tokens(1000)), Asked()
    behind: list[asyncio.Task[list[Piece]]] = []
    left = asyncio.Event()

    async def reads_behind(ask: Ask) -> AsyncIterator[Piece]:
        async def read() -> list[Piece]:
            return [piece async for piece in ask.model("small")]

        behind.append(asyncio.create_task(read()))
        yield "On it."
        await left.wait()

    log = await ask(stage, reads_behind, model)
    await model.begun.wait()
    say(model, ["a"] * 3)
    run = stage.engine.live(log)
    assert run is not None
    end(run)
    assert model.stops == 1
    await asyncio.wait(behind)
    (entry,) = await stage.entries()
    assert (entry.prompt_tokens, entry.completion_tokens) == (PROMPT_TOKENS, 3)
    assert await spent(stage, 1000) == PROMPT_TOKENS + 3
    assert (await stage.standing(Slot("runs:key:tw_ada", 1, "probe", SLOT_SECONDS))).remaining == 1


async def test_nothing_is_asked_once_the_run_is_over(staged: Staged) -> None:
    stage, model = staged(budgets=tokens(1000)), Asked()
    asks: list[Ask] = []

    async def keeps(ask: Ask) -> str:
        asks.append(ask)
        return "Later."

    await ask(stage, keeps, model)
    await stage.engine.idle()
    await stage.rest()
    with pytest.raises(Failure, match="abandoned"):
        await anext(asks[0].model("small"))
    assert model.starts == 0
    assert await spent(stage, 1000) == PROMPT_TOKENS + 2


async def test_accounts_that_are_away_grant_no_call(staged: Staged) -> None:
    accounts = ShakyAccounts()
    stage, go = staged(budgets=tokens(1000), accounts=accounts), asyncio.Event()

    async def waits(ask: Ask) -> AsyncIterator[Piece]:
        await go.wait()
        async for piece in ask.model("small"):
            yield piece

    await ask(stage, waits, model := Asked())
    accounts.away = True
    go.set()
    await stage.engine.idle()
    accounts.away = False
    assert (await stage.entries())[0].code == Code.store_unavailable
    assert model.starts == 0


async def test_a_call_that_failed_adds_nothing_and_is_said(staged: Staged) -> None:
    stage, bad, good = staged(accounts=MemoryAccounts()), Asked(), Asked()

    async def tries_again(ask: Ask) -> Any:
        with pytest.raises(Failure, match="upstream_error"):
            await anext(ask.model("small"))
        return ask.model("small")

    await ask(stage, tries_again, bad, good)
    await bad.begun.wait()
    bad.run.fail(UpstreamFailure(Code.upstream_error))
    await good.begun.wait()
    good.run.finish("stop", usage=usage(5, 6))
    await stage.engine.idle()
    (entry,) = await stage.entries()
    assert (entry.prompt_tokens, entry.completion_tokens, entry.counted, entry.cost) == (5, 6, "estimated", 65)

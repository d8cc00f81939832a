"""Budgets while an answer comes."""

import asyncio

import pytest

from tokenwire import events
from tokenwire.accounts.claim import Budget
from tokenwire.config.accounts import Budget as BudgetTable
from tokenwire.config.accounts import Budgets
from tokenwire.errors import Code
from tokenwire.gate.budget import periods

from ..runs.source import ScriptedSource
from .conftest import Staged
from .stage import PROMPT_TOKENS, STEP, ShakyAccounts, Stage, say, usage

pytestmark = pytest.mark.anyio


def tokens(limit: int) -> Budgets:
    return Budgets(per_key=BudgetTable(day_tokens=limit))


async def spent(stage: Stage, limit: int) -> int:
    await stage.rest()
    day, _ = periods(stage.clock())
    return limit - (await stage.standing(Budget(f"tokens:{day.name}:key:tw_ada", limit, day.until))).remaining


def last(stage: Stage, source: ScriptedSource) -> events.Event:
    log = source.run.log
    return events.decode(log.read(log.length - 1, 1)[0])


async def test_tokens_are_reserved_a_step_ahead(staged: Staged) -> None:
    stage, source = staged(budgets=tokens(1000)), ScriptedSource()
    await stage.ask("r", source)
    reserved = PROMPT_TOKENS + STEP
    assert await spent(stage, 1000) == reserved
    say(source, ["a"] * (STEP // 2 - 1))
    assert await spent(stage, 1000) == reserved
    say(source, ["a"])
    assert await spent(stage, 1000) == reserved + STEP
    source.run.finish("stop", usage=usage(33, 5))
    assert await spent(stage, 1000) == 38


async def test_an_answer_ends_where_its_budget_does(staged: Staged) -> None:
    limit = PROMPT_TOKENS + STEP + 3
    stage, source = staged(budgets=tokens(limit)), ScriptedSource()
    await stage.ask("r", source)
    say(source, ["a"] * (STEP - 1))
    await stage.rest()
    assert not source.run.ended  # what is paid for is told
    say(source, ["b"])
    await stage.rest()
    assert source.stops == 1
    assert (await stage.entries())[0].code == Code.budget_exhausted
    error = last(stage, source)
    assert isinstance(error, events.RunError)
    assert error.code == Code.budget_exhausted
    told = [events.decode(record) for record in source.run.log.read(0, 100)]
    assert sum(isinstance(event, events.TextMessageContent) for event in told) == STEP
    assert await spent(stage, limit) == PROMPT_TOKENS + STEP


async def test_an_answer_ends_where_its_dollars_do(staged: Staged) -> None:
    # a token of the question is a millionth, one of the answer ten
    dollars = (PROMPT_TOKENS + 2 * STEP * 10) / 1e6
    stage, source = staged(budgets=Budgets(per_key=BudgetTable(day_dollars=dollars))), ScriptedSource()
    await stage.ask("r", source)
    for _ in range(3 * STEP):
        say(source, ["a"])
        await stage.rest()
    assert source.run.ended
    (entry,) = await stage.entries()
    assert (entry.code, entry.completion_tokens) == (Code.budget_exhausted, 2 * STEP)
    assert entry.cost == PROMPT_TOKENS + 2 * STEP * 10


async def test_nothing_is_read_beyond_what_is_paid_for(staged: Staged) -> None:
    """What has been read is told; more is not read until it is paid for."""
    stage, source = staged(budgets=tokens(1000)), ScriptedSource()
    await stage.ask("r", source)
    say(source, ["a"] * (2 * STEP))  # at once: nobody could pay in between
    assert (source.pauses, source.resumes) == (1, 0)
    await stage.rest()
    assert source.resumes == source.pauses
    assert await spent(stage, 1000) == PROMPT_TOKENS + 3 * STEP
    assert not source.run.ended


async def test_a_pause_of_the_run_and_one_of_the_budget_are_two(staged: Staged) -> None:
    stage, source = staged(budgets=tokens(1000)), ScriptedSource()
    await stage.ask("r", source)
    say(source, ["a"] * STEP)
    source.run.hold()
    await stage.rest()
    assert (source.pauses, source.resumes) == (1, 0)
    source.run.resume()
    assert (source.pauses, source.resumes) == (1, 1)


async def test_an_answer_ends_where_nobody_can_tell_what_is_left(staged: Staged) -> None:
    accounts = ShakyAccounts()
    stage, source = staged(budgets=tokens(1000), accounts=accounts), ScriptedSource()
    await stage.ask("r", source)
    accounts.away = True
    say(source, ["a"] * STEP)
    for _ in range(10):  # not until everything rests: the row waits for the accounts
        await asyncio.sleep(0)
    assert source.run.ended
    error = last(stage, source)
    assert isinstance(error, events.RunError)
    assert error.code == Code.store_unavailable
    accounts.away = False
    assert (await stage.entries())[0].completion_tokens == STEP


async def test_two_runs_on_one_budget_overspend_by_nothing_that_was_not_told(staged: Staged) -> None:
    limit = 2 * PROMPT_TOKENS + 5 * STEP
    stage = staged(budgets=tokens(limit))
    sources = [ScriptedSource(), ScriptedSource()]
    for number, source in enumerate(sources):
        await stage.ask(str(number), source)
    for _ in range(5 * STEP):
        for source in sources:
            say(source, ["a"])
        await asyncio.sleep(0)
    assert all(source.run.ended for source in sources)
    assert await spent(stage, limit) == limit

"""One row for each run, whatever its end."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import pytest

from tokenwire import events
from tokenwire.accounts.claim import Budget, Rate, Slot
from tokenwire.accounts.contract import Selection
from tokenwire.accounts.entry import Entry
from tokenwire.accounts.memory import MemoryAccounts
from tokenwire.accounts.records.memory import MemoryRecords
from tokenwire.config.accounts import Budget as BudgetTable
from tokenwire.config.accounts import Budgets, Rates
from tokenwire.config.accounts import Rate as RateTable
from tokenwire.errors import Code, Failure, Refusal, UpstreamFailure
from tokenwire.gate.admission import SLOT_SECONDS, Admission
from tokenwire.gate.budget import periods
from tokenwire.gate.price import Prices
from tokenwire.ledger.accounting import Accounting
from tokenwire.ledger.charge import Taken
from tokenwire.ledger.opening import Opening, Openings
from tokenwire.middleware.stack import MiddlewareStack
from tokenwire.routing.model import Choice, Model
from tokenwire.runs.log import RunInfo
from tokenwire.runs.outcome import Outcome
from tokenwire.runs.run import Run

from ..accounts.stores import KINDS, Clock, Place
from ..runs.source import FailingSource, ScriptedSource
from .conftest import Staged
from .stage import MODEL, PRICE, PROMPT_TOKENS, STEP, ShakyAccounts, say, usage

pytestmark = pytest.mark.anyio


async def test_a_finished_run(staged: Staged) -> None:
    stage, source = staged(), ScriptedSource()
    await stage.ask("r", source)
    source.run.served = "own/up"
    say(source, ["a", "b"])
    source.run.finish("stop", usage=usage(100, 10, cached_tokens=40))
    (entry,) = await stage.entries()
    assert (entry.run_id, entry.thread_id, entry.principal, entry.key, entry.wire) == (
        "r",
        "t",
        "ada",
        "tw_ada",
        "rais",
    )
    assert (entry.model_asked, entry.model_served) == ("small", "own/up")
    assert (entry.outcome, entry.code) == ("finished", None)
    assert (entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens) == (100, 10, 40)
    assert (entry.counted, entry.cost) == ("reported", 60 + 20 + 100)
    assert entry.first_token_seconds is not None
    assert entry.started == stage.clock()


ENDS: dict[str, tuple[Callable[[Run], None], str, str | None]] = {
    "cancelled": (Run.cancel, "cancelled", None),
    "abandoned": (Run.abandon, "failed", Code.abandoned),
    "broken off": (lambda run: run.fail(UpstreamFailure(Code.upstream_truncated)), "failed", Code.upstream_truncated),
    "not reported": (lambda run: run.finish("stop"), "finished", None),
    "lost": (lambda run: run.concluded(lost=True), "lost", Code.producer_lost),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_run_without_a_report_costs_what_was_told(staged: Staged, end: str) -> None:
    stage, source = staged(), ScriptedSource()
    await stage.ask("r", source)
    say(source, ["a", "b", "long enough for some tokens"])
    how, outcome, code = ENDS[end]
    how(source.run)
    (entry,) = await stage.entries()
    assert (entry.outcome, entry.code, entry.counted) == (outcome, code, "estimated")
    assert (entry.prompt_tokens, entry.completion_tokens) == (PROMPT_TOKENS, 8)
    assert entry.cost == PROMPT_TOKENS + 80


async def test_reasoning_and_arguments_are_told_as_well(staged: Staged) -> None:
    stage, source = staged(), ScriptedSource()
    await stage.ask("r", source)
    source.run.emit([events.ReasoningMessageContent("m", "a"), events.ToolCallArgs("c", "{")])
    source.run.cancel()
    assert (await stage.entries())[0].completion_tokens == 2


async def test_a_run_that_was_stopped_before_its_first_token_has_read_its_prompt(staged: Staged) -> None:
    stage, source = staged(), ScriptedSource()
    await stage.ask("r", source)
    source.run.cancel()
    (entry,) = await stage.entries()
    assert (entry.prompt_tokens, entry.completion_tokens, entry.cost) == (PROMPT_TOKENS, 0, PROMPT_TOKENS)
    assert entry.first_token_seconds is None


async def test_of_a_run_that_its_model_refused_nothing_is_known(staged: Staged) -> None:
    openings = Openings(MemoryRecords())
    stage = staged(budgets=Budgets(per_key=BudgetTable(day_tokens=100, day_dollars=1)), openings=openings)
    source = ScriptedSource()
    await stage.ask("r", source)
    source.run.fail(UpstreamFailure(Code.upstream_auth))
    (entry,) = await stage.entries()
    assert (entry.counted, entry.cost, entry.prompt_tokens) == ("unknown", None, None)
    day, _ = periods(stage.clock())
    assert (await stage.standing(Budget(f"tokens:{day.name}:key:tw_ada", 100, day.until))).remaining == 100
    dollars = Budget(f"dollars:{day.name}:key:tw_ada", 1_000_000, day.until)
    assert (await stage.standing(dollars)).remaining == 1_000_000
    assert await openings.take(source.run.info) is None


async def test_a_source_that_does_not_start_is_a_run_as_well(staged: Staged) -> None:
    stage = staged(Rates(per_key=RateTable(concurrent_runs=1)))
    await stage.ask("r", FailingSource(at="start"))
    assert [entry.code for entry in await stage.entries()] == [Code.internal]
    await stage.ask("second")


async def test_a_row_is_written_when_the_accounts_are_back(staged: Staged) -> None:
    accounts = ShakyAccounts()
    stage, source = staged(accounts=accounts), ScriptedSource()
    await stage.ask("r", source)
    accounts.away = True
    source.run.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    accounts.away = False
    assert [entry.run_id for entry in await stage.entries()] == ["r"]


async def lost_row(openings: Openings, records: list[bytes] | None, accounts: MemoryAccounts | None = None) -> Entry:
    """What a process writes for a run of another one; ``None`` for a log that cannot be had."""
    accounts = accounts or MemoryAccounts()
    accounting = Accounting(
        accounts,
        Admission(Rates(), Budgets()),
        Prices({"small": PRICE}),
        {},
        ledger=True,
        openings=openings,
        observer=MiddlewareStack(),
        step=10,
    )

    async def read() -> list[bytes]:
        if records is None:
            raise Refusal(Code.store_unavailable)
        return records

    run = RunInfo("ada", "t", "r", "rais")
    ended = datetime.fromtimestamp(1_000_010, UTC)
    accounting.ended(Outcome(run=run, kind="lost", code=Code.producer_lost, ended=ended, records=read))
    await accounting.close()
    (entry,) = [entry async for entry in accounts.entries(Selection())]
    return entry


TOLD = [events.encode(events.TextMessageContent("m", "x" * 40)), events.encode(events.RunStarted("t", "r"))]


async def test_a_dead_process_run_is_written_with_what_it_had_kept() -> None:
    openings = Openings(MemoryRecords())
    run = RunInfo("ada", "t", "r", "rais")
    await openings.keep(run, Opening(key="tw_ada", model="small", target="own/up", started=1_000_000, prompt_tokens=7))
    entry = await lost_row(openings, TOLD)
    assert (entry.key, entry.model_asked, entry.outcome, entry.seconds) == ("tw_ada", "small", "lost", 10)
    assert (entry.prompt_tokens, entry.completion_tokens, entry.cost) == (7, 10, 107)
    assert await openings.take(run) is None


async def test_a_dead_process_run_of_which_nothing_was_kept_has_a_row_as_well() -> None:
    entry = await lost_row(Openings(MemoryRecords()), TOLD)
    assert (entry.key, entry.model_asked, entry.prompt_tokens) == (None, "", None)
    assert (entry.completion_tokens, entry.cost) == (10, None)


TAKEN = Budget("tokens:day", 100, 2_000_000_000, 30)


async def left_after(records: list[bytes] | None, *, times: int = 1) -> int:
    """Of the budget, when others have accounted for a dead process's run that had taken so much of it."""
    accounts, openings = MemoryAccounts(), Openings(MemoryRecords())
    await accounts.take([TAKEN])
    opening = Opening(key=None, model="small", target="own/up", started=1_000_000, prompt_tokens=7)
    taken = (Taken("tokens", TAKEN),)
    await openings.keep(RunInfo("ada", "t", "r", "rais"), msgspec.structs.replace(opening, taken=taken))
    for _ in range(times):
        await lost_row(openings, records, accounts)
    return (await accounts.take([TAKEN._replace(cost=0)])).standings[0].remaining


async def test_what_a_dead_process_had_taken_is_given_back_once() -> None:
    assert await left_after(TOLD) == 100 - 7 - 10
    assert await left_after(TOLD, times=2) == 100 - 7 - 10
    assert await left_after(None) == 100 - 30  # nobody knows what it was good for


async def test_whoever_was_taken_for_dead_gives_nothing_back_a_second_time(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenwire.ledger.accounting._RENEW_SECONDS", 0.0)
    monkeypatch.setattr("tokenwire.ledger.run_account._PATIENCE", 0.0)
    openings = Openings(MemoryRecords())
    rates = Rates(per_key=RateTable(concurrent_runs=1))
    stage = staged(rates, Budgets(per_key=BudgetTable(day_tokens=1000)), openings=openings)
    source = ScriptedSource()
    await stage.ask("r", source)
    say(source, ["a"] * (STEP // 2))
    await stage.rest()
    opening = await openings.take(source.run.info)
    assert opening is not None
    ((_, taken),) = opening.taken
    source.run.ended = True  # as it learns that another process has told its end
    for _ in range(10):
        await asyncio.sleep(0)
    assert not stage.accounting._live
    await stage.rest()
    assert (await stage.standing(taken)).remaining == 1000 - taken.cost == 1000 - PROMPT_TOKENS - 2 * STEP
    assert (await stage.standing(Slot("runs:key:tw_ada", 1, "probe", SLOT_SECONDS))).remaining == 1


@pytest.mark.parametrize(
    ("served", "cost", "byok"), [("theirs/up", 0, True), (None, 0, True), ("own/up", PROMPT_TOKENS + 30, False)]
)
async def test_a_key_that_was_brought_costs_the_operator_nothing(
    staged: Staged, served: str | None, cost: int, byok: bool
) -> None:
    stage, source = staged(budgets=Budgets(per_key=BudgetTable(day_tokens=100, day_dollars=1))), ScriptedSource()
    theirs = msgspec.structs.replace(MODEL.first, provider="theirs", byok=True)
    model = MODEL._replace(choices=(Choice(theirs), *MODEL.choices))
    await stage.ask("r", source, model=model)
    source.run.served = served
    say(source, ["a"] * 3)
    source.run.cancel()
    (entry,) = await stage.entries()
    assert (entry.prompt_tokens, entry.completion_tokens) == (PROMPT_TOKENS, 3)
    assert (entry.cost, entry.byok) == (cost, byok)
    day, _ = periods(stage.clock())
    tokens = Budget(f"tokens:{day.name}:key:tw_ada", 100, day.until)
    dollars = Budget(f"dollars:{day.name}:key:tw_ada", 1_000_000, day.until)
    assert (await stage.standing(tokens)).remaining == 100 - PROMPT_TOKENS - 3
    assert (await stage.standing(dollars)).remaining == 1_000_000 - cost


async def test_a_model_without_a_price_may_be_asked_with_a_key_that_is_brought(staged: Staged) -> None:
    stage = staged(budgets=Budgets(per_key=BudgetTable(day_dollars=0.000001)))
    theirs = msgspec.structs.replace(MODEL.first, byok=True)
    await stage.ask("r", source := ScriptedSource(), model=Model("unpriced", (Choice(theirs),)))
    say(source, ["a"] * 100)
    await stage.rest()
    assert not source.run.ended
    with pytest.raises(Refusal, match="no price"):
        await stage.ask("s", model=Model("unpriced", (Choice(MODEL.first),)))


def lose(run: Run) -> None:
    run.lose(Failure(Code.store_unavailable))
    run.concluded(lost=True)


@pytest.mark.parametrize("kind", KINDS)
async def test_after_a_thousand_random_ends_nothing_is_held_and_everything_is_accounted_for(
    staged: Staged, place: Place
) -> None:
    dice = random.Random(6)  # noqa: S311
    rates = Rates(per_key=RateTable(requests_per_minute=10_000, tokens_per_minute=200, concurrent_runs=20))
    budget = 40_000
    accounts = place.accounts(clock := Clock())
    await accounts.start()
    stage = staged(rates, Budgets(per_key=BudgetTable(day_tokens=budget)), accounts, clock=clock)
    clock.now = 1_800_014_400.0  # a noon: no midnight comes in between
    live: list[ScriptedSource] = []
    begun = 0
    ends: list[Callable[[Run], None]] = [
        Run.cancel,
        Run.abandon,
        lose,
        lambda run: run.fail(UpstreamFailure(Code.upstream_error)),
        lambda run: run.finish("stop"),
        lambda run: run.finish("stop", usage=usage(dice.randrange(50), dice.randrange(50))),
    ]
    for number in range(1000):
        source = ScriptedSource()
        asking = asyncio.create_task(stage.ask(str(number), source))
        if dice.random() < 0.2:
            for _ in range(dice.randrange(8)):
                await asyncio.sleep(0)
            asking.cancel()
        with suppress(Refusal, asyncio.CancelledError):
            await asking
        if source.starts:
            begun += 1
            live.append(source)
        for one in dice.sample(live, min(3, len(live))):
            say(one, ["a"] * dice.randrange(8))
            if dice.random() < 0.5:
                dice.choice(ends)(one.run)
            if dice.random() < 0.3:
                await asyncio.sleep(0)
        live = [one for one in live if not one.run.ended]
        stage.clock.advance(dice.random() * 10)
    for one in live:
        one.run.cancel()
    entries = await stage.entries()
    assert 300 < begun == len(entries)
    used = sum((entry.prompt_tokens or 0) + (entry.completion_tokens or 0) for entry in entries)
    day, _ = periods(stage.clock())
    left = await stage.standing(Budget(f"tokens:{day.name}:key:tw_ada", budget, day.until))
    assert left.remaining == budget - used
    assert (await stage.standing(Slot("runs:key:tw_ada", 20, "probe", SLOT_SECONDS))).remaining == 20
    stage.clock.advance(61)
    assert (await stage.standing(Rate("tokens:key:tw_ada", 200, 60))).remaining == 200
    assert not stage.accounting._live
    assert not stage.accounting._meters
    await accounts.close()


async def test_a_row_that_cannot_be_written_any_more_goes_to_the_log(
    staged: Staged, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenwire.ledger.accounting._LAST_WORDS_SECONDS", 0.0)
    accounts = ShakyAccounts()
    stage, source = staged(accounts=accounts), ScriptedSource()
    await stage.ask("r", source)
    accounts.away = True
    source.run.cancel()
    await stage.engine.close()
    assert '"runId":"r"' in caplog.text

"""Runs with accounts, and what is left of them, without a server."""

import asyncio
import time
from collections.abc import Callable, Sequence

from tokenwire import events
from tokenwire.accounts.claim import Budget, Rate, Slot, Standing
from tokenwire.accounts.contract import Accounts, AccountsAway, Selection
from tokenwire.accounts.entry import Entry
from tokenwire.accounts.memory import MemoryAccounts
from tokenwire.config.accounts import Budgets, Price, Rates
from tokenwire.gate.admission import Admission, Asker
from tokenwire.gate.price import Prices
from tokenwire.gate.principal import Principal
from tokenwire.ledger.accounting import Accounting, Begun
from tokenwire.ledger.opening import Openings
from tokenwire.messages import Message, message
from tokenwire.middleware.stack import MiddlewareStack
from tokenwire.providers.base import Prompt, Target
from tokenwire.routing.model import Choice, Model
from tokenwire.runs.engine import Engine
from tokenwire.runs.log import RunInfo
from tokenwire.runs.memory import MemoryStore
from tokenwire.runs.run import Bounds, Source

from ..accounts.stores import Clock
from ..runs.source import ScriptedSource

STEP = 10
QUESTION = "x" * 64
PROMPT_TOKENS = 20
"""The estimate for it: 16 for the text, 4 for the message."""
MODEL = Model("small", (Choice(Target(name="small", provider="own", model="up", base_url="http://127.0.0.1")),))
AGENT = Model("helper", ())
PRICE = Price(input=1.0, output=10.0, cached=0.5)


class ShakyAccounts(MemoryAccounts):
    """Accounts as if they were elsewhere, which can be out of reach."""

    away = False

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock=clock)
        self.asked = asyncio.Event()

    async def take(self, claims):  # type: ignore[no-untyped-def]
        self._look()
        self.asked.set()
        await asyncio.sleep(0)  # one that is elsewhere is waited for
        return await super().take(claims)

    async def settle(self, amounts):  # type: ignore[no-untyped-def]
        self._look()
        await super().settle(amounts)

    async def write(self, entry: Entry) -> None:
        self._look()
        await super().write(entry)

    def _look(self) -> None:
        if self.away:
            raise AccountsAway("out of reach")


class Stage:
    """One process that keeps account of its runs."""

    def __init__(
        self,
        rates: Rates | None = None,
        budgets: Budgets | None = None,
        accounts: Accounts | None = None,
        openings: Openings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.accounts = accounts or ShakyAccounts(clock=self.clock)
        self.accounting = Accounting(
            self.accounts,
            Admission(rates or Rates(), budgets or Budgets()),
            Prices({"small": PRICE, "helper": Price(input=0.0, output=0.0)}),
            {MODEL.name: MODEL},
            ledger=True,
            openings=openings,
            observer=MiddlewareStack(),
            step=STEP,
            clock=self.clock,
        )
        self.engine = Engine(
            MemoryStore(), max_runs=1000, bounds=Bounds(size=10**6, ahead=10**6), observer=self.accounting
        )

    async def ask(
        self,
        run_id: str = "r",
        source: Source | None = None,
        *,
        principal: Principal | None = None,
        address: str = "192.0.2.1",
        model: Model = MODEL,
        text: str = QUESTION,
    ) -> Begun:
        """Asks in the name of somebody."""
        principal = principal or Principal(name="ada", key="tw_ada")
        return await self.accounting.start(
            self.engine,
            RunInfo(principal.name, "t", run_id, "rais"),
            Asker(principal, address),
            model,
            Prompt(messages=(self.question(text),)),
            None,
            source or ScriptedSource(),
        )

    @staticmethod
    def question(text: str) -> Message:
        return message("user", text)

    async def rest(self) -> None:
        """Returns when everything that follows from what happened has happened."""
        await asyncio.sleep(0)
        while self.accounting._tasks:
            await asyncio.gather(*self.accounting._tasks)
            await asyncio.sleep(0)

    async def entries(self) -> list[Entry]:
        await self.rest()
        return [entry async for entry in self.accounts.entries(Selection())]

    async def standing(self, claim: Rate | Budget | Slot) -> Standing:
        """How things stand with a claim, of which nothing is left taken."""
        if isinstance(claim, Slot):
            verdict = await self.accounts.take([claim])
            await self.accounts.release([claim])
            standing = verdict.standings[0]
            return standing._replace(remaining=standing.remaining + (verdict.refused is None))
        return (await self.accounts.take([claim._replace(cost=0)])).standings[0]

    async def close(self) -> None:
        await self.engine.close()


def say(source: ScriptedSource, deltas: Sequence[str]) -> None:
    """Has a model tell something, a piece at a time."""
    for delta in deltas:
        source.run.emit([events.TextMessageContent("m", delta)])


def usage(prompt: int, completion: int, **more: int) -> events.Usage:
    return events.Usage(prompt_tokens=prompt, completion_tokens=completion, **more)

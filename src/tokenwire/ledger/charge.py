"""What one run has taken from the accounts, until it is settled."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import NamedTuple

from ..accounts.claim import Budget, Rate, Slot
from ..accounts.contract import Accounts, AccountsAway
from ..errors import Code, Refusal
from ..events import Usage
from ..gate.admission import refusal
from ..gate.limit import Limit, Unit
from ..gate.price import Tariff
from ..gate.rate_headers import rate_headers
from ..runs.log import RunInfo

logger = logging.getLogger("tokenwire.ledger")


class Taken(NamedTuple):
    """What was taken of a budget."""

    unit: Unit
    budget: Budget
    """With that as its cost."""


def corrections(taken: Iterable[tuple[Unit, Rate | Budget]], used: Mapping[Unit, int | None]) -> list[Rate | Budget]:
    """What is to be settled, so that what was taken comes to what was used. What is ``None`` is left as it is."""
    return [
        claim._replace(cost=amount - claim.cost)
        for unit, claim in taken
        if (amount := used[unit]) is not None and amount != claim.cost
    ]


async def quietly(correction: Awaitable[None], run: RunInfo) -> None:
    """Corrects what was taken. Never tried twice: it may have been done, and too little taken would be a gift."""
    try:
        await correction
    except AccountsAway as away:
        logger.warning("what a run had taken cannot be corrected: %s", away.detail, extra={"run": run})


class Charge:
    """Takes once for the question, in steps for the answer, and gives back what was not needed.

    :param tariff: says what tokens cost, where anything is limited in dollars.
    :param prompt_tokens: what the question is estimated to be.
    :param step: tokens of the answer that are reserved at a time.
    """

    def __init__(
        self, accounts: Accounts, limits: Sequence[Limit], tariff: Tariff | None, prompt_tokens: int, step: int
    ) -> None:
        self.headers: dict[str, str] = {}
        """What the answer may say of the limits."""
        self.reserved = 0
        """Tokens of the answer that are paid for already."""
        self.slots: list[Slot] = []
        """Those that it holds."""
        self._accounts = accounts
        self._limits = limits
        self._tariff = tariff
        self._prompt_tokens = prompt_tokens
        self.step = step
        self._budgets = [limit for limit in limits if isinstance(limit.claim, Budget)]
        self._taken: list[tuple[Unit, Rate | Budget]] = []
        # a run may end while a step of it is on its way: what that takes has to be settled with the rest
        self._changing = asyncio.Lock()
        self._settled = False

    @property
    def in_steps(self) -> bool:
        """Whether the answer has to be paid for while it comes."""
        return bool(self._budgets)

    @property
    def taken(self) -> tuple[Taken, ...]:
        """What it holds of budgets."""
        return tuple(Taken(unit, claim) for unit, claim in self._taken if isinstance(claim, Budget) and claim.cost)

    async def take(self) -> None:
        """Takes what the question needs, and the first step of its answer; or nothing at all.

        Raises :class:`Refusal`.
        """
        ahead = self.step if self._budgets else 0
        dollars = self._cost(self._prompt_tokens, ahead)
        claims = [
            limit.costing(
                tokens=self._prompt_tokens + (ahead if isinstance(limit.claim, Budget) else 0), dollars=dollars
            )
            for limit in self._limits
        ]
        if not claims:
            return
        async with self._changing:
            verdict = await self._accounts.take(claims)
            if verdict.refused is not None:
                raise refusal(self._limits, verdict, verdict.refused)
            self.headers = rate_headers(self._limits, verdict)
            self.reserved = ahead
            self._taken = [
                (limit.unit, claim)
                for limit, claim in zip(self._limits, claims, strict=True)
                if not isinstance(claim, Slot)
            ]
            self.slots = [claim for claim in claims if isinstance(claim, Slot)]

    async def extend(self) -> bool:
        """Pays for one more step; returns whether that was granted."""
        async with self._changing:
            if self._settled:
                return False
            dollars = self._cost(0, self.step)
            claims = [limit.costing(tokens=self.step, dollars=dollars) for limit in self._budgets]
            verdict = await self._accounts.take(claims)
            if verdict.refused is not None:
                return False
            self.reserved += self.step
            more = {claim.key: claim.cost for claim in claims if isinstance(claim, Budget)}
            self._taken = [
                (unit, claim._replace(cost=claim.cost + more.get(claim.key, 0))) for unit, claim in self._taken
            ]
            return True

    async def settle(self, tokens: int | None, dollars: int | None) -> None:
        """Has it cost what it was, and lets its slots go.

        :param dollars: in millionths. ``None`` leaves what was taken, because nobody knows better, or somebody did it.
        """
        await self._end(tokens, dollars, requests=1)

    async def refund(self) -> None:
        """Has it cost nothing: there was no run."""
        await self._end(0, 0, requests=0)

    async def hand_over(self) -> None:
        """Has it cost no tokens and no dollars, whatever follows: others pay for those. Its slots are held on."""
        await self._correct(0, 0, requests=1)

    async def _end(self, tokens: int | None, dollars: int | None, *, requests: int) -> None:
        try:
            await self._correct(tokens, dollars, requests=requests)
        finally:
            if self.slots:
                await self._accounts.release(self.slots)

    async def _correct(self, tokens: int | None, dollars: int | None, *, requests: int) -> None:
        async with self._changing:
            self._settled = True
            taken, self._taken = self._taken, []
            used: dict[Unit, int | None] = {"requests": requests, "tokens": tokens, "dollars": dollars}
            if found := corrections(taken, used):
                await self._accounts.settle(found)

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> int:
        if not any(limit.unit == "dollars" for limit in self._limits):
            return 0
        usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
        cost = None if self._tariff is None else self._tariff.cost(usage)
        if cost is None:
            raise Refusal(Code.refused_choice, "There is a budget in dollars here, and this model has no price.")
        return cost

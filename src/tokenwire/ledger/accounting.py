"""All accounts of this process's runs: who may begin one, what it uses, and the row it leaves in the ledger."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import NamedTuple
from weakref import WeakValueDictionary

import msgspec

from .. import events
from ..accounts.contract import Accounts, AccountsAway
from ..accounts.entry import Entry
from ..errors import Refusal
from ..gate.admission import SLOT_SECONDS, Admission, Asker
from ..gate.price import Prices
from ..providers.base import Prompt
from ..routing.model import Model
from ..runs.engine import Engine
from ..runs.log import Log, RunInfo
from ..runs.observer import Observer
from ..runs.outcome import Outcome
from ..runs.run import Run, Source
from .charge import Charge
from .estimate import Told, prompt_tokens, told_in
from .meter import Meter
from .opening import Opening, Openings
from .row import cost_of, row, used
from .run_account import RunAccount

logger = logging.getLogger("tokenwire.ledger")

_RENEW_SECONDS = SLOT_SECONDS / 3
_WRITE_SECONDS = (0.2, 0.5, 1, 2, 5, 10, 20)
"""How long to wait before a row is written once more."""
_LAST_WORDS_SECONDS = 5.0


class Begun(NamedTuple):
    """A run that was started, or found."""

    log: Log
    headers: Mapping[str, str]
    """What its answer may say of the limits."""


class Accounting:
    """Starts runs within limits, and as an :class:`tokenwire.runs.observer.Observer` keeps account of them.

    :param ledger: whether runs are written down.
    :param openings: keeps what others need to write the rows of a killed process.
    :param observer: sees the runs as well; what it makes of the events is what is counted.
    :param step: tokens of an answer that are reserved at a time.
    """

    def __init__(
        self,
        accounts: Accounts,
        admission: Admission,
        prices: Prices,
        *,
        ledger: bool,
        openings: Openings | None,
        observer: Observer,
        step: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.accounts = accounts
        self._admission = admission
        self._prices = prices
        self.ledger = ledger
        self._openings = openings
        self._observer = observer
        self._step = step
        self._clock = clock
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._meters: dict[str, Meter] = {}
        self._live: dict[str, RunAccount] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewals: asyncio.Task[None] | None = None

    async def start(
        self,
        engine: Engine,
        info: RunInfo,
        asker: Asker,
        model: Model,
        prompt: Prompt,
        grace: float | None,
        source: Source,
    ) -> Begun:
        """The log of a run, as :meth:`Engine.start` gives it. Only a run that begins takes anything.

        Raises :class:`Refusal`.
        """
        # of two requests for one run the second finds what the first has begun, or been refused
        async with self._asking.setdefault(info.key, asyncio.Lock()):
            known = await engine.find(info.principal, run_id=info.run_id)
            if known is not None:
                return Begun(known, {})
            async with self._admitted(info, asker, model, prompt) as account:
                log = await engine.start(info, grace, account.metered(source), model=model.name)
            return Begun(log, account.charge.headers)

    def encoder(self, run: RunInfo) -> Callable[[events.Event], bytes]:
        """See :class:`tokenwire.runs.observer.Observer`."""
        meter = self._meters[run.key] = Meter(self._observer.encoder(run))
        return meter

    def ended(self, outcome: Outcome) -> None:
        """See :class:`tokenwire.runs.observer.Observer`."""
        self._observer.ended(outcome)
        self._spawn(self._conclude(self._forget(outcome.run.key), outcome))

    async def close(self) -> None:
        """See :class:`tokenwire.runs.observer.Observer`."""
        await self._observer.close()
        if self._renewals is not None:
            self._renewals.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_LAST_WORDS_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _admitted(self, info: RunInfo, asker: Asker, model: Model, prompt: Prompt) -> AsyncIterator[RunAccount]:
        """An account that was paid for the question; refunded where no run has begun when the block is left."""
        now = self._clock()
        target = f"{model.first.provider}/{model.first.model}" if model.choices else None
        opening = Opening(
            key=asker.principal.key,
            model=model.name,
            target=target,
            started=now,
            prompt_tokens=prompt_tokens(prompt.messages),
        )
        charge = Charge(
            self.accounts,
            self._admission.limits(asker, f"{info.key}:{secrets.token_hex(8)}", now),
            self._prices.of(model.name, target),
            opening.prompt_tokens,
            self._step,
        )
        account = RunAccount(opening, charge, self._begin, self._spawn)
        await charge.take()
        try:
            if self._openings is not None:  # before the model is asked: a process that dies has no time to do it later
                await self._openings.keep(info, opening)
            yield account
        finally:
            if account.run is None:
                self._spawn(_quietly(charge.refund(), info))

    def _begin(self, account: RunAccount, run: Run) -> Meter:
        key = run.log.key
        self._live[key] = account
        if self._renewals is None:
            self._renewals = asyncio.get_running_loop().create_task(self._renew())
        return self._meters[key]

    def _forget(self, key: str) -> RunAccount | None:
        self._meters.pop(key, None)
        account = self._live.pop(key, None)
        if account is not None:
            account.rest()
        return account

    async def _conclude(self, account: RunAccount | None, outcome: Outcome) -> None:
        kept = None if self._openings is None else await self._openings.take(outcome.run)
        opening = kept if account is None else account.opening
        told = account.meter.told if account is not None else await _told(outcome)
        used_ = used(outcome, told, None if opening is None else opening.prompt_tokens)
        model = (outcome.model or "") if opening is None else opening.model
        target = outcome.served or (None if opening is None else opening.target)
        cost = cost_of(used_, self._prices, model, target)
        if account is not None:
            usage = used_.usage
            tokens = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
            await _quietly(account.charge.settle(tokens, 0 if used_.counted == "unknown" else cost), outcome.run)
        if self.ledger:
            first_token = None if account is None else account.first_token_seconds
            await self._write(row(outcome, opening, used_, cost, first_token), outcome.run)

    async def _write(self, entry: Entry, run: RunInfo) -> None:
        written = False
        try:
            for wait in _WRITE_SECONDS:
                with contextlib.suppress(AccountsAway):
                    await self.accounts.write(entry)
                    written = True
                    return
                await asyncio.sleep(wait)
        finally:  # also where this process must not wait any longer
            if not written:
                row_ = msgspec.json.encode(entry).decode()
                logger.error("a row of the ledger is lost: %s", row_, extra={"run": run})

    async def _renew(self) -> None:
        """Holds the slots of the runs under way, and lets go of those whose end was another process's to tell."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            for key, account in tuple(self._live.items()):
                run = account.run
                if run is not None and account.overdue:
                    self._forget(key)
                    tokens = account.opening.prompt_tokens + account.meter.told.tokens
                    self._spawn(_quietly(account.charge.settle(tokens, None), run.info))
            slots = [slot for account in self._live.values() for slot in account.charge.slots]
            if slots:
                with contextlib.suppress(AccountsAway):  # tried again before they are lost
                    await self.accounts.renew(slots)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _quietly(correction: Awaitable[None], run: RunInfo) -> None:
    """Corrects what was taken. Never tried twice: it may have been done, and too little taken would be a gift."""
    try:
        await correction
    except AccountsAway as away:
        logger.warning("what a run had taken cannot be corrected: %s", away.detail, extra={"run": run})


async def _told(outcome: Outcome) -> Told:
    """What another process's run has told, read back from its log."""
    try:
        return told_in(await outcome.events())
    except Refusal as away:
        run = outcome.run
        logger.warning("the log of run %s cannot be had: %s", run.run_id, away.detail, extra={"run": run})
        return Told()

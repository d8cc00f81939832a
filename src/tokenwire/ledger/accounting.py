"""All accounts of this process's runs: who may begin one, what it uses, and the row it leaves in the ledger."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import msgspec

from .. import events
from ..accounts.contract import Accounts, AccountsAway
from ..accounts.entry import Entry
from ..agents.source import AgentSource
from ..errors import Refusal
from ..events import Usage
from ..gate.admission import SLOT_SECONDS, Admission, Asker
from ..gate.limit import Limit
from ..gate.price import FREE, Prices, Tariff
from ..providers.base import Prompt
from ..routing.health import label
from ..routing.model import Model
from ..runs.engine import Engine
from ..runs.log import Log, RunInfo
from ..runs.observer import Observer
from ..runs.outcome import Outcome
from ..runs.run import Run, Source
from .calls import Calls
from .charge import Charge, corrections, quietly
from .estimate import Told, prompt_tokens, told_in
from .meter import Meter
from .opening import Opening, Openings
from .row import Spent, row, spent_by
from .run_account import Keep, RunAccount

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


class _UnderWay(NamedTuple):
    """A run of this process."""

    account: RunAccount
    calls: Calls
    """Models that it asks, where it is an agent's."""


class Accounting:
    """Starts runs within limits, and as an :class:`tokenwire.runs.observer.Observer` keeps account of them.

    :param models: those that agents may ask, by their names.
    :param ledger: whether runs are written down.
    :param openings: keeps what others need to account for the runs of a killed process.
    :param observer: sees the runs as well; what it makes of the events is what is counted.
    :param step: tokens of an answer that are reserved at a time.
    """

    def __init__(
        self,
        accounts: Accounts,
        admission: Admission,
        prices: Prices,
        models: Mapping[str, Model],
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
        self._models = models
        self.ledger = ledger
        self._openings = openings
        self._observer = observer
        self._step = step
        self._clock = clock
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._meters: dict[str, Meter] = {}
        self._live: dict[str, _UnderWay] = {}
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
            now = self._clock()
            limits = self._admission.limits(asker, f"{info.key}:{secrets.token_hex(8)}", now)
            keep = None if self._openings is None else partial(self._openings.keep, info)
            opened = partial(self._opened, info, asker, now)
            account = opened(limits, model, prompt, keep)

            def asked(name: str, prompt: Prompt) -> RunAccount:
                """That of a model which an agent asks: no request, and no run that holds a slot."""
                counted = [limit for limit in limits if limit.unit in ("tokens", "dollars")]
                return opened(counted, self._models[name], prompt, None)

            calls = Calls(asked, self._prices, account.hand_over)
            if isinstance(source, AgentSource):
                source.have_paid(calls.call)
            async with account.admitted():
                begin = partial(self._begin, _UnderWay(account, calls))
                log = await engine.start(info, grace, account.metered(source, begin), model=model.name)
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

    def _opened(
        self,
        info: RunInfo,
        asker: Asker,
        now: float,
        limits: Sequence[Limit],
        model: Model,
        prompt: Prompt,
        keep: Keep | None,
    ) -> RunAccount:
        opening = Opening(
            key=asker.principal.key,
            model=model.name,
            target=label(model.first) if model.choices else None,
            started=now,
            prompt_tokens=prompt_tokens(prompt.messages),
            brought=tuple(label(target) for target in model.targets if target.byok),
        )
        charge = Charge(self.accounts, limits, self._tariff(model), opening.prompt_tokens, self._step)
        return RunAccount(info, opening, charge, self._spawn, keep if self.ledger or charge.in_steps else None)

    def _tariff(self, model: Model) -> Tariff | None:
        """What an answer may cost us: of the targets, one that is asked with our key."""
        ours = next((target for target in model.targets if not target.byok), None)
        if ours is None and model.choices:
            return FREE
        return self._prices.of(model.name, None if ours is None else label(ours))

    def _begin(self, under_way: "_UnderWay", run: Run) -> Meter:
        key = run.log.key
        self._live[key] = under_way
        if self._renewals is None:
            self._renewals = asyncio.get_running_loop().create_task(self._renew())
        return self._meters[key]

    def _forget(self, key: str) -> "_UnderWay | None":
        self._meters.pop(key, None)
        under_way = self._live.pop(key, None)
        if under_way is not None:
            under_way.account.rest()
            under_way.calls.end()
        return under_way

    async def _conclude(self, under_way: "_UnderWay | None", outcome: Outcome) -> None:
        if under_way is None:
            entry = await self._bury(outcome)
        else:
            account, calls = under_way
            spent = spent_by(outcome, account.meter.told, account.opening, self._prices)
            if calls.made:
                spent = calls.spent
            account.settle(spent)
            if account.kept:
                await self._kept(outcome.run)
            entry = row(outcome, account.opening, spent, account.first_token_seconds)
        if self.ledger:
            await self._write(entry, outcome.run)

    async def _bury(self, outcome: Outcome) -> Entry:
        """Settles another process's run, as far as that has let others know of it; gives its row."""
        opening, told = await self._kept(outcome.run), await _told(outcome)
        spent = spent_by(outcome, told or Told(), opening, self._prices)
        # once: of all processes that may do it one has got the opening
        if opening is not None and told is not None:
            found = corrections(opening.taken, {"tokens": spent.tokens, "dollars": spent.dollars})
            if found:
                await quietly(self.accounts.settle(found), outcome.run)
        return row(outcome, opening, spent, None)

    async def _kept(self, run: RunInfo) -> Opening | None:
        return None if self._openings is None else await self._openings.take(run)

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
            for key, (account, _) in tuple(self._live.items()):
                if account.overdue:
                    self._forget(key)
                    usage = Usage(
                        prompt_tokens=account.opening.prompt_tokens, completion_tokens=account.meter.told.tokens
                    )
                    account.settle(None if account.kept else Spent(usage, "estimated", None))
            slots = [slot for account, _ in self._live.values() for slot in account.charge.slots]
            if slots:
                with contextlib.suppress(AccountsAway):  # tried again before they are lost
                    await self.accounts.renew(slots)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _told(outcome: Outcome) -> Told | None:
    """What another process's run has told, read back from its log; ``None`` where that cannot be had."""
    try:
        return told_in(await outcome.events())
    except Refusal as away:
        run = outcome.run
        logger.warning("the log of run %s cannot be had: %s", run.run_id, away.detail, extra={"run": run})
        return None

"""A store that outlives its processes and is shared by any number of them.

What this process writes goes to the backend in batches, one at a time: whatever was appended while one was under way
is the next one (group commit). What it reads is a copy (:mod:`.mirror`) that follows the backend.

While the backend is away, nothing new is begun (503), and what is under way waits, its upstream paused, for
``patience`` seconds: if the store is back by then, nothing was lost. Otherwise the runs of this process are given up
and their readers told; what the store has of them is ended, by whoever can reach it, as that of a dead process.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TypeVar
from weakref import WeakValueDictionary

from ..errors import Code, Failure, Refusal
from .backend import Backend, Fate, Orphan, Stored, StoreTrouble
from .log import RunInfo
from .mirror import MirrorLog
from .reaper import Reaper

logger = logging.getLogger("tokenwire.runs")

_ATTEND_EVERY = 1.0
_ATTEND_SECONDS = 3.0
_RETRY_SECONDS = 0.2
_NOTICE_SECONDS = 5 * _RETRY_SECONDS
"""Beside the time of a renewal, what it takes a process to notice that the store is back, and empty."""
_LEASED = 0.7
"""The part of the lease's time for which a process registers; the rest is for the others to notice …"""
_RENEWALS = 8
"""… which they do, as they renew, so many times in it."""
_LATE = 0.5
"""The part of it after which a renewal is so late that others may be late for the same reason."""

_T = TypeVar("_T")


class SharedStore:
    """See :class:`tokenwire.runs.log.Store`.

    :param lease_seconds: within which the logs of a process that died are ended.
    :param patience: seconds that a run waits for a store that is away.
    """

    def __init__(self, backend: Backend, *, lease_seconds: float = 10, patience: float = 10) -> None:
        self._backend = backend
        self._lease_seconds = lease_seconds
        self._patience = patience
        self._serving = True
        self._logs: WeakValueDictionary[str, MirrorLog] = WeakValueDictionary()
        self._written: dict[str, MirrorLog] = {}
        self._claiming: Counter[str] = Counter()
        self._followed: dict[str, MirrorLog] = {}
        self._unsaved: dict[MirrorLog, None] = {}
        self._work: asyncio.Future[None] | None = None
        self._away_since: float | None = None
        self._reaper = Reaper(backend, lambda key: key in self._written or key in self._claiming)
        self._settled_from = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Opens the store. Raises :class:`StoreTrouble` where it cannot be had."""
        self._loop = asyncio.get_running_loop()
        self._saved_all = asyncio.Event()
        self._saved_all.set()
        await self._backend.start(self)
        await self._register()
        self._renewed = self._judges_from = self._loop.time()
        for chore in (self._save, self._keep_alive, self._attend):
            self._spawn(self._for_ever(chore))

    async def open(self, info: RunInfo) -> tuple[MirrorLog, bool]:
        key = info.key
        if (known := self._written.get(key)) is not None:
            return known, False
        self._claiming[key] += 1
        try:
            stored = await self._reach(lambda: self._claim(info))
        finally:
            self._claiming[key] -= 1
            if not self._claiming[key]:
                del self._claiming[key]
        if (known := self._written.get(key)) is not None:
            return known, False
        if stored.lease.worker == self._backend.worker and not stored.records and not stored.closed:
            log = self._logs[key] = self._written[key] = MirrorLog(info, key, self, self._backend.worker, stored.lease)
            return log, True
        log = self._copy(key, stored)
        log.extend(0, stored.records, stored.closed)
        return log, False

    def watch(self, buried: Callable[[RunInfo], None]) -> None:
        self._reaper.on_buried = buried

    async def find(self, key: str) -> MirrorLog | None:
        if (known := self._written.get(key)) is not None:
            return known
        # asked even where it is followed here: whoever comes from another process may have read further than we have
        log = self._logs.get(key)
        after = log.length if log is not None else 0
        stored = await self._reach_in_time(lambda: self._load(key, after))
        if stored is None:
            self._logs.pop(key, None)
            return None
        log = self._copy(key, stored)
        if log.extend(after, stored.records, stored.closed):
            return log
        del self._logs[key]  # what was known of it is no longer in the store, or of another log by that name
        return await self.find(key)

    async def cancel(self, key: str) -> None:
        await self._reach(lambda: self._backend.cancel(key))

    async def attended(self, key: str) -> bool:
        return await self._reach(lambda: self._backend.attended(key))

    async def peers(self) -> int:
        return await self._reach(self._backend.peers)

    async def retire(self) -> None:
        self._serving = False
        await self._reach(self._register)

    async def close(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await self._saved_all.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for log in tuple(self._written.values()):
            self._give_up(log)
        self._reaper.give_up()
        await self._backend.close()

    # what the copies say

    def changed(self, log: MirrorLog) -> None:
        self._unsaved[log] = None
        self._saved_all.clear()
        if self._work is not None and not self._work.done():
            self._work.set_result(None)

    def followed(self, log: MirrorLog) -> None:
        if log.lease is None and not log.closed and log.failure is None:
            self._followed[log.key] = log
            self._backend.follow(log.key, log.length)
            self._spawn(self._attend_to([log.key]))

    def unfollowed(self, log: MirrorLog) -> None:
        if self._followed.pop(log.key, None) is not None:
            self._backend.unfollow(log.key)

    # what the backend says

    def grown(self, key: str, after: int, payloads: Sequence[bytes], closed: bool) -> None:
        log = self._followed.get(key)
        if log is None:
            return
        if not log.extend(after, payloads, closed):
            logger.warning("the log %s has a gap after %d records", key, log.length)
            self._give_up(log)
        elif closed:
            self.unfollowed(log)

    def cancel_asked(self, key: str) -> None:
        log = self._written.get(key)
        if log is not None:
            log.cancel()

    # the chores

    async def _save(self) -> None:
        if not self._unsaved:
            self._saved_all.set()
            self._work = self._loop.create_future()
            await self._work
        batch = [(log, append) for log in self._unsaved if (append := log.unsaved()) is not None]
        self._unsaved.clear()
        if not batch:
            return
        try:
            answers = await self._backend.write([append for _, append in batch])
        except BaseException:
            self._unsaved.update((log, None) for log, _ in batch)
            raise
        self._heard()
        fenced = []
        for (log, append), written in zip(batch, answers, strict=True):
            if log.lease is None:
                continue  # given up in the meantime
            log.saved(append, written)
            if written.fate is Fate.fenced:
                fenced.append(log)
            elif log.closed:
                del self._written[log.key]
            elif log.unsaved() is not None:
                self._unsaved[log] = None
        for log in fenced:
            await self._yield(log)

    async def _keep_alive(self) -> None:
        await asyncio.sleep(_RETRY_SECONDS if self._away_since is not None else self._lease_seconds / _RENEWALS)
        await self._register()
        if self._saved_all.is_set():  # a full store has room for a lease and none for an answer
            self._heard()
        now = self._loop.time()
        if now - self._renewed > self._lease_seconds * _LATE:
            self._judges_from = now + self._lease_seconds * _LEASED
            await self._check_leases()
        self._renewed = now
        # whether others who are not heard of are dead: not when the store was away, for them perhaps as well
        await self._reaper.look(may_judge=now >= self._judges_from)

    async def _register(self) -> None:
        asked = self._loop.time()
        if await self._backend.renew(self._lease_seconds * _LEASED, serving=self._serving):
            self._restate()
        self._registered = asked

    async def _settle(self) -> None:
        """Registers anew after trouble or sleep, and waits until a store that lost everything can have it again."""
        if self._loop.time() - self._registered > self._lease_seconds * _LATE:
            await self._register()
        if (wait := self._settled_from - self._loop.time()) > 0:
            await asyncio.sleep(wait)

    async def _claim(self, info: RunInfo) -> Stored:
        # a new run of a process that is not registered would be taken for a dead one's; and it may not be new at all
        await self._settle()
        return await self._backend.claim(info)

    async def _load(self, key: str, after: int) -> Stored | None:
        stored = await self._backend.load(key, after)
        if stored is None:
            await self._settle()
            stored = await self._backend.load(key, after)
        return stored

    def _restate(self) -> None:
        """Nobody else can find what is written here until the store has heard of it again, nor we what they write."""
        self._settled_from = self._loop.time() + self._lease_seconds / _RENEWALS + _NOTICE_SECONDS
        logger.error("the store has lost everything: the %d answers under way are kept anew", len(self._written))
        self._reaper.give_up()
        for log in self._written.values():
            log.restate()
            self.changed(log)

    async def _check_leases(self) -> None:
        """Looks whether this process was taken for dead, so that its readers need not wait for its next append."""
        for log in tuple(self._written.values()):
            stored = await self._backend.load(log.key, log.length)
            if stored is not None and log.lease is not None and stored.lease.epoch > log.lease.epoch:
                await self._yield(log)

    async def _attend(self) -> None:
        await asyncio.sleep(_ATTEND_EVERY)
        if self._followed:
            await self._backend.attend(tuple(self._followed), _ATTEND_SECONDS)

    async def _attend_to(self, keys: Sequence[str]) -> None:
        with suppress(StoreTrouble):  # the chore will try again
            await self._backend.attend(keys, _ATTEND_SECONDS)

    async def _for_ever(self, chore: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await chore()
            except StoreTrouble as trouble:
                self._missed(trouble)
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                logger.exception("the store's own work failed")
                await asyncio.sleep(_RETRY_SECONDS)

    # trouble

    async def _reach(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Asks the backend; refuses without asking while it is known to be away."""
        if self._away_since is None:
            try:
                return await call()
            except StoreTrouble as trouble:
                self._missed(trouble)
        raise Refusal(Code.store_unavailable, retry_after=1)

    async def _reach_in_time(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Asks the backend, and waits for it as long as a run does: a client that resumes takes a refusal as final."""
        give_up = self._loop.time() + self._patience
        while True:
            try:
                return await self._reach(call)
            except Refusal:
                if self._loop.time() >= give_up:
                    raise
            await asyncio.sleep(_RETRY_SECONDS)

    def _heard(self) -> None:
        if self._away_since is not None:
            logger.warning("the store is back after %.1f s", self._loop.time() - self._away_since)
            self._away_since = None

    def _missed(self, trouble: StoreTrouble) -> None:
        now = self._loop.time()
        self._registered = -math.inf
        if self._away_since is None:
            logger.error("the store is away: %s", trouble)
            self._away_since = now
        if now - self._away_since >= self._patience:
            for log in (*self._written.values(), *self._followed.values()):
                self._give_up(log)

    def _give_up(self, log: MirrorLog) -> None:
        if log.lease is not None and log.writer is not None:
            self._reaper.abandon(Orphan(log.info, log.key, log.lease), log.writer)
        self._logs.pop(log.key, None)
        self._written.pop(log.key, None)
        self._unsaved.pop(log, None)
        self.unfollowed(log)
        log.fail()

    async def _yield(self, log: MirrorLog) -> None:
        """Another process ended this log in our stead: what it says is the truth."""
        if self._written.pop(log.key, None) is not log:
            return
        logger.warning(
            "run %s was ended by another process, which took this one for dead",
            log.info.run_id,
            extra={"run": log.info},
        )
        log.yield_to(Failure(Code.producer_lost))
        try:
            stored = await self._backend.load(log.key, log.length)
        except StoreTrouble:
            stored = None
        same = stored is not None and stored.lease.worker == log.maker
        if stored is None or not same or not log.extend(log.length, stored.records, stored.closed):
            self._give_up(log)
        elif log.readers:
            self.followed(log)

    def _copy(self, key: str, stored: Stored) -> MirrorLog:
        """The copy of a log in the store: the one that is here, unless that is of an older log by the same name."""
        log = self._logs.get(key)
        if log is None or log.maker != stored.lease.worker:
            log = self._logs[key] = MirrorLog(stored.info, key, self, stored.lease.worker)
        return log

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

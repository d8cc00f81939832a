"""What other processes write to Redis, as it comes: any number of logs and this worker's inbox, on one connection."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from .backend import Listener, StoreTrouble
from .redis_channel import RedisChannel
from .redis_scripts import ENDS

logger = logging.getLogger("tokenwire.runs")

INBOX_LENGTH = 1000
"""What waits in a worker's inbox at most …"""
INBOX_MS = 60_000
"""… and how long it waits for a worker that may be gone."""
_BLOCK_SECONDS = 5
_ANSWER_SECONDS = 2
_RETRY_SECONDS = 0.2
_AUDIT_SECONDS = 5.0
_COUNT = 1000
_PACE = 0.000_25
"""Seconds between two reads for each followed log: a read names all of them, whatever it finds …"""
_MOST = 0.010
"""… and at most."""


class RedisFollower:
    """Reads until it is closed, through every trouble, from where each log was."""

    def __init__(
        self, reads: RedisChannel, commands: RedisChannel, prefix: str, worker: str, listener: Listener
    ) -> None:
        self._reads = reads
        self._commands = commands
        self._prefix = prefix
        self._inbox = f"{prefix}inbox:{worker}"
        self._inbox_seen = "0-0"
        self._log_prefix = f"{prefix}log:"
        self._listener = listener
        self._followed: dict[str, int] = {}
        self._doubted: set[str] = set()
        self._changed = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._for_ever(chore)) for chore in (self._read, self._interrupt, self._audit)
        ]

    def follow(self, key: str, after: int) -> None:
        """Tells what that log gets from now on."""
        self._followed[key] = after
        self._changed.set()

    def unfollow(self, key: str) -> None:
        """Stops that."""
        self._followed.pop(key, None)

    async def close(self) -> None:
        """Stops everything. Never raises."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self) -> None:
        names = [self._inbox, *(self._log_prefix + key for key in self._followed)]
        after = [self._inbox_seen, *(f"0-{seq}" for seq in self._followed.values())]
        answer = await self._reads.call(
            ("XREAD", "COUNT", _COUNT, "BLOCK", _BLOCK_SECONDS * 1000, "STREAMS", *names, *after),
            seconds=_BLOCK_SECONDS + _ANSWER_SECONDS,
        )
        for stream, entries in answer or ():
            name = stream.decode()
            if name == self._inbox:
                self._take(entries)
            else:
                self._tell(name.removeprefix(self._log_prefix), entries)
        await asyncio.sleep(min(_PACE * len(self._followed), _MOST))

    def _take(self, entries: list[Any]) -> None:
        for number, (field, value) in entries:
            self._inbox_seen = number.decode()
            if field == b"cancel":
                self._listener.cancel_asked(value.decode())

    def _tell(self, key: str, entries: list[Any]) -> None:
        if key not in self._followed:
            return
        after = int(entries[0][0][2:]) - 1
        closed = entries[-1][1][0] == b"end"
        payloads = [value for _, (_, value) in entries]
        if closed:
            payloads.pop()
        self._followed[key] = max(self._followed[key], after + len(payloads))
        self._listener.grown(key, after, payloads, closed)

    async def _interrupt(self) -> None:
        """Ends a read that does not know of a log yet."""
        await self._changed.wait()
        self._changed.clear()
        try:
            await self._commands.call(
                ("XADD", self._inbox, "MAXLEN", INBOX_LENGTH, "*", "follow", ""),
                ("PEXPIRE", self._inbox, INBOX_MS),
            )
        except StoreTrouble:
            self._changed.set()
            raise

    async def _audit(self) -> None:
        """Gives up logs that ended, or vanished, before what was read of them here.

        The server lost what it had, and so did the writer. One that lives makes up for it before the second look.
        """
        await asyncio.sleep(_AUDIT_SECONDS)
        keys = tuple(self._followed)
        ends = await self._commands.call(ENDS.command(self._prefix, *keys))
        doubted = set()
        for key, end in zip(keys, ends, strict=True):
            after = self._followed.get(key)
            if after is None or end is None or end >= after:
                continue
            if key in self._doubted:
                self._listener.grown(key, after + 1, (), closed=False)
            doubted.add(key)
        self._doubted = doubted

    async def _for_ever(self, chore: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await chore()
            except StoreTrouble as trouble:
                logger.debug("following: %s", trouble)
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                logger.exception("following the store failed")
                await asyncio.sleep(_RETRY_SECONDS)

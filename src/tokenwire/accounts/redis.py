"""Accounts in Redis or Valkey: every process that reaches the server shares them, and goes by the server's clock.

A server that drops keys by itself, or comes back empty, has forgotten what was spent: ``maxmemory-policy`` should be
``noeviction``, and ``appendonly`` on where budgets are to outlive a restart.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec

from ..runs.backend import StoreTrouble
from ..runs.log import log_key
from ..runs.redis_channel import RedisChannel
from ..runs.redis_scripts import Command
from .claim import Budget, Claim, Rate, Slot, Verdict
from .contract import KEEP_ENTRIES, AccountsAway, Selection
from .entry import Entry
from .redis_scripts import RELEASE, RENEW, SETTLE, TAKE, WRITE
from .standing import Usage, judge

_PAGE = 500
"""How many entries are read at once."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


class RedisAccounts:
    """See :class:`.contract.Accounts`. One connection.

    :param url: ``redis://``, ``rediss://`` or ``unix://``. No cluster.
    :param keep: how many entries of the ledger are kept.
    :param prefix: of every key: two services may share a server.
    :param clock: instead of the server's.
    """

    def __init__(
        self,
        url: str,
        *,
        keep: int = KEEP_ENTRIES,
        prefix: str = "tokenwire:",
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._channel = RedisChannel(url)
        self._keep = keep
        self._prefix = prefix
        self._clock = clock

    async def start(self) -> None:
        """See :class:`.contract.Accounts`."""
        await self._call(("PING",))

    async def take(self, claims: Sequence[Claim]) -> Verdict:
        """See :class:`.contract.Accounts`."""
        at, usages = await self._call(TAKE.command(*self._arguments(claims)))
        now = int(at)
        return judge(claims, [_usage(now, *usage) for usage in usages], now / 1000)

    async def settle(self, amounts: Sequence[Rate | Budget]) -> None:
        """See :class:`.contract.Accounts`."""
        await self._call(SETTLE.command(*self._arguments(amounts)))

    async def renew(self, slots: Sequence[Slot]) -> None:
        """See :class:`.contract.Accounts`."""
        await self._call(RENEW.command(*self._arguments(slots)))

    async def release(self, slots: Sequence[Slot]) -> None:
        """See :class:`.contract.Accounts`."""
        await self._call(RELEASE.command(*self._arguments(slots)))

    async def write(self, entry: Entry) -> None:
        """See :class:`.contract.Accounts`."""
        run = log_key(entry.principal, entry.run_id)
        await self._call(WRITE.command(self._prefix, self._keep, run, _encode(entry)))

    async def entries(self, selection: Selection) -> AsyncIterator[Entry]:
        """See :class:`.contract.Accounts`."""
        after = b"-"
        while page := await self._call(("XRANGE", f"{self._prefix}ledger", after, "+", "COUNT", _PAGE)):
            for _, (_, encoded) in page:
                entry = _decode(encoded)
                if selection.takes(entry):
                    yield entry
            after = b"(" + page[-1][0]

    async def close(self) -> None:
        """See :class:`.contract.Accounts`."""
        await self._channel.close()

    async def _call(self, command: Command) -> Any:
        try:
            return await self._channel.call(command)
        except StoreTrouble as trouble:
            raise AccountsAway(str(trouble)) from None

    def _arguments(self, claims: Sequence[Claim]) -> list[str | int]:
        arguments: list[str | int] = [self._prefix, "" if self._clock is None else round(self._clock() * 1000)]
        for claim in claims:
            if isinstance(claim, Rate):
                arguments += ("rate", claim.key, claim.limit, round(claim.seconds * 1000), claim.cost, "")
            elif isinstance(claim, Slot):
                arguments += ("slots", claim.key, claim.limit, round(claim.seconds * 1000), 0, claim.holder)
            else:
                arguments += ("budget", claim.key, claim.limit, round(claim.until * 1000), claim.cost, "")
        return arguments


def _usage(now: int, used: bytes, held: int, free_at: bytes, idle_at: bytes) -> Usage:
    free_in = (float(free_at) - now) / 1000 if free_at else float("inf")
    return Usage(float(used), bool(held), free_in, (float(idle_at) - now) / 1000)

"""Tickets: what opens one WebSocket, from a page that cannot send it a header."""

import hashlib
import secrets

import msgspec

from ..accounts.records.contract import Records
from .principal import Principal

SECONDS = 60
"""How long a ticket is good."""

_LENGTH = 43
_decoder = msgspec.json.Decoder(Principal)


class Tickets:
    """Tickets in some records: each good for one use, and for a minute.

    One that leaks through a log of addresses was used by then, and the records hold digests only.
    """

    def __init__(self, records: Records) -> None:
        self._records = records

    async def issue(self, principal: Principal) -> str:
        """A ticket in the name of a principal. Raises :class:`.RecordsAway`."""
        ticket = secrets.token_urlsafe(32)
        await self._records.put(_name(ticket), msgspec.json.encode(principal), SECONDS)
        return ticket

    async def redeem(self, ticket: str) -> Principal | None:
        """Whose it is; of all who come with it only the first is told. Raises :class:`.RecordsAway`."""
        if len(ticket) != _LENGTH or not ticket.isascii():
            return None
        value = await self._records.take(_name(ticket))
        return _decoder.decode(value) if value is not None else None


def _name(ticket: str) -> str:
    return f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"

"""What may be used in which time, what it costs, and what is written down of it."""

import ipaddress
from typing import Annotated, Literal

import msgspec

from ..errors import ConfigError
from ..gate.host import is_host_name
from .table import Positive, Table

Amount = Annotated[float, msgspec.Meta(ge=0)]


class Rate(Table, frozen=True):
    """Limits of one key, principal or address. What is not set is not limited."""

    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    concurrent_runs: Positive | None = None


class Rates(Table, frozen=True):
    """``[rates]``: how fast questions may come. A key's own scopes come before ``per_key``."""

    per_key: Rate = Rate()
    per_principal: Rate = Rate()
    per_ip: Rate = Rate()


class Budget(Table, frozen=True):
    """What may be spent in a day and in a month (UTC)."""

    day_tokens: Positive | None = None
    month_tokens: Positive | None = None
    day_dollars: Amount | None = None
    month_dollars: Amount | None = None

    @property
    def in_dollars(self) -> bool:
        """Whether prices have to be known."""
        return self.day_dollars is not None or self.month_dollars is not None


class Budgets(Table, frozen=True):
    """``[budgets]``: how much may be spent. A key's own scopes come before ``per_key``."""

    per_key: Budget = Budget()
    per_principal: Budget = Budget()


class Price(Table, frozen=True):
    """``price`` of a model: dollars for a million tokens."""

    input: Amount
    output: Amount
    cached: Amount | None = None
    """Of the prompt's tokens, those read from a cache; like all others where it is not set."""
    cache_write: Amount | None = None
    """Of the prompt's tokens, those written to one; like all others where it is not set."""


class Accounting(Table, frozen=True):
    """``[accounting]``: the ledger, and how far ahead tokens are reserved."""

    ledger: bool | None = None
    """``None``: where anything is limited, or somebody has to say who they are."""
    keep_entries: Positive = 100_000
    step_tokens: Positive = 256
    """So many tokens of a budget are reserved at a time while an answer comes."""

    def keeps_ledger(self, *, limited: bool, known: bool) -> bool:
        """Whether runs are written down.

        :param limited: there are rates or budgets.
        :param known: whoever asks has to say who they are.
        """
        return (limited or known) if self.ledger is None else self.ledger


class Server(Table, frozen=True):
    """``[server]``: what stands before this one, and what it is there for."""

    hosts: tuple[str, ...] = ()
    """The names it may be asked by, beside addresses and ``localhost``."""
    openapi: bool = True
    """Whether ``GET /openapi.json`` describes what may be asked."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose word is taken for whom they speak for."""
    client_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    """The one header they say it in. A proxy passes the other one on as a client wrote it."""

    def check(self) -> None:
        """Raises :class:`ConfigError`."""
        for name in self.hosts:
            if not is_host_name(name):
                raise ConfigError(f"server.hosts: {name!r} is not a host's name such as chat.example")
        for name in self.trusted_proxies:
            try:
                ipaddress.ip_network(name)
            except ValueError as error:
                raise ConfigError(f"server.trusted_proxies: {error}") from None

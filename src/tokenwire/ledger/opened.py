"""The accounting that a configuration asks for."""

import contextlib
from collections.abc import AsyncIterator

from ..accounts.address import open_accounts, open_records
from ..accounts.contract import Accounts
from ..accounts.records.contract import Records
from ..config import Config
from ..config.accounts import Budgets, Rates
from ..errors import ConfigError
from ..gate.admission import Admission
from ..gate.client_address import ClientAddresses, parse_networks
from ..gate.price import Prices
from ..runs.observer import Observer
from .accounting import Accounting
from .opening import Openings


@contextlib.asynccontextmanager
async def opened_accounting(config: Config, observer: Observer, *, known: bool) -> AsyncIterator[Accounting | None]:
    """Accounting, open until the block is left; ``None`` where nothing is limited or written down.

    :param observer: sees the runs as well.
    :param known: whether askers have to say who they are: what they may use can be said of each then.

    Raises :class:`ConfigError`.
    """
    limited = config.rates != Rates() or config.budgets != Budgets()
    ledger = config.accounting.keeps_ledger(limited=limited, known=known)
    if not (limited or known or ledger):
        yield None
        return
    prices = Prices(config.prices)
    _check_prices(config, prices)
    async with contextlib.AsyncExitStack() as stack:
        accounts: Accounts = await open_accounts(config.store, keep=config.accounting.keep_entries)
        stack.push_async_callback(accounts.close)
        records: Records | None = None
        if config.store.shared:
            records = await open_records(config.store)
            stack.push_async_callback(records.close)
        yield Accounting(
            accounts,
            Admission(config.rates, config.budgets),
            prices,
            config.models,
            ledger=ledger,
            openings=None if records is None else Openings(records),
            observer=observer,
            step=config.accounting.step_tokens,
        )


def client_addresses(config: Config) -> ClientAddresses:
    """Finds from where requests come."""
    server = config.server
    return ClientAddresses(parse_networks(server.trusted_proxies), server.client_header)


def _check_prices(config: Config, prices: Prices) -> None:
    if not (config.budgets.per_key.in_dollars or config.budgets.per_principal.in_dollars):
        return
    for name in prices.unknown(config.models.values()):
        raise ConfigError(f"models.{name}.price: a budget in dollars needs it, and none is known")

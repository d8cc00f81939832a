"""The accounts and the records that are kept where the runs are."""

from ..errors import ConfigError
from ..runs.address import StoreAddress
from .contract import KEEP_ENTRIES, Accounts, AccountsAway
from .memory import MemoryAccounts
from .records.contract import Records, RecordsAway
from .records.memory import MemoryRecords
from .records.sqlite import SqliteRecords
from .sqlite import SqliteAccounts


async def open_accounts(address: StoreAddress, *, keep: int = KEEP_ENTRIES) -> Accounts:
    """The accounts at a store's address, ready. ``keep`` is how many entries of the ledger are kept.

    Raises :class:`ConfigError` when they cannot be had.
    """
    accounts: Accounts
    if address.path is not None:
        accounts = SqliteAccounts(address.path, keep=keep)
    elif address.url is None:
        accounts = MemoryAccounts(keep=keep)
    else:
        try:
            from .redis import RedisAccounts
        except ImportError:
            raise _without_redis() from None
        accounts = RedisAccounts(address.url.reveal(), keep=keep)
    try:
        await accounts.start()
    except AccountsAway as away:
        await accounts.close()
        raise ConfigError(f"the accounts in {address} cannot be opened: {away.detail}") from None
    return accounts


async def open_records(address: StoreAddress) -> Records:
    """The records at a store's address, ready.

    Raises :class:`ConfigError` when they cannot be had.
    """
    records: Records
    if address.path is not None:
        records = SqliteRecords(address.path)
    elif address.url is None:
        records = MemoryRecords()
    else:
        try:
            from .records.redis import RedisRecords
        except ImportError:
            raise _without_redis() from None
        records = RedisRecords(address.url.reveal())
    try:
        await records.start()
    except RecordsAway as away:
        await records.close()
        raise ConfigError(f"the records in {address} cannot be opened: {away.detail}") from None
    return records


def _without_redis() -> ConfigError:
    return ConfigError('store: redis needs the extra "redis": pip install "tokenwire[redis]"')

"""The API keys that are there, and what each is good for."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from ..accounts.address import open_records
from ..accounts.records.contract import RecordsAway
from ..config import Config
from ..errors import ConfigError
from ..gate.keys import KeyRecord, Keys
from ..gate.price import Prices
from ..gate.principal import Scopes
from ..runs.address import StoreAddress
from .finding import Finding, note, ok, problem, warning

CHECK = "keys"

SOON_DAYS = 7
_DAY = 86_400
_NAMED = 5


def check(config: Config) -> Iterator[Finding]:
    """Those that end soon, that have ended, that are bound by nothing, and that can pay for nothing."""
    if not config.auth.keys:
        return
    kept = _kept(config.store)
    if kept is None:
        return  # the check of the store says why
    now = time.time()
    standing = [record for record in kept if record.revoked is None]
    live = [record for record in standing if record.live(now)]
    found = [*_ends(standing, live, now), *_reach(live, Prices(config.prices).unknown(config.models.values()))]
    well = f"those that are live ({len(live)}) are bound to something" if live else "there is none"
    yield from found or [ok(CHECK, well)]


def _ends(standing: Sequence[KeyRecord], live: Sequence[KeyRecord], now: float) -> Iterator[Finding]:
    ending = [record for record in live if record.expires is not None and record.expires - now <= SOON_DAYS * _DAY]
    if ending:
        yield warning(
            CHECK,
            f"within {SOON_DAYS} days {_names(ending)} will expire",
            "tokenwire keys create --expires 90d   # with the same --principal, and hand it over in time",
            why="Whoever holds it will be refused from one moment to the next.",
        )
    if ended := [record for record in standing if record not in live]:
        yield note(
            CHECK,
            f"{_names(ended)} expired",
            f"tokenwire keys revoke {ended[0].public}   # once nobody asks for it any more",
            why="Whoever still holds it is refused. A key that was revoked is not named here.",
        )


def _reach(live: Sequence[KeyRecord], unpriced: Sequence[str]) -> Iterator[Finding]:
    if unbound := [record for record in live if record.scopes == Scopes()]:
        yield note(
            CHECK,
            f"{_names(unbound)} may ask for everything that is configured",
            "tokenwire keys create --models fast --day-dollars 5",
            why="Who finds such a key can use all of it, within [rates] and [budgets] alone.",
        )
    for name in unpriced:
        refused = [
            record
            for record in live
            if (record.scopes.day_dollars is not None or record.scopes.month_dollars is not None)
            and (record.scopes.models is None or name in record.scopes.models)
        ]
        if refused:
            yield problem(
                CHECK,
                f"{_names(refused)} cannot ask models.{name}, which has no price",
                f"[models.{name}]",
                "price = { input = 1.0, output = 2.0 }   # dollars for a million tokens",
                why="A budget in dollars is closed where nobody knows what an answer costs.",
            )


def _kept(address: StoreAddress) -> list[KeyRecord] | None:
    """Every key in a store, ``None`` where it cannot be read. A store is not made by looking."""
    if address.path is not None and not _has_records(address.path):
        return []

    async def read() -> list[KeyRecord]:
        records = await open_records(address)
        try:
            return await Keys(records).list()
        finally:
            await records.close()

    try:
        return asyncio.run(read())
    except (ConfigError, RecordsAway):
        return None


def _has_records(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'named'").fetchall())
    except sqlite3.Error:
        return False


def _names(records: Sequence[KeyRecord]) -> str:
    shown = [f"{record.public} ({record.name})" if record.name else record.public for record in records[:_NAMED]]
    more = len(records) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")

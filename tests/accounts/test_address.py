"""Accounts and records are where the runs are."""

from pathlib import Path

import pytest

from tokenwire.accounts.address import open_accounts, open_records
from tokenwire.accounts.claim import Rate
from tokenwire.errors import ConfigError
from tokenwire.runs.address import open_store, parse_store

from .stores import KINDS, Place
from .test_contract import entry, ledger

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", KINDS)
async def test_they_share_an_address_with_the_runs(place: Place) -> None:
    address = parse_store(place.address)
    accounts = await open_accounts(address, keep=2)
    records = await open_records(address)
    store = await open_store(address, keep_seconds=60, keep_bytes=None, lease_seconds=5, patience=1)
    assert (await accounts.take([Rate("r", 1, 60)])).refused is None
    await records.put("key:a", b"1")
    for number in "123":
        await accounts.write(entry(number))
    assert [written.run_id for written in await ledger(accounts)] == ["2", "3"]
    await store.close()
    assert await records.list("") == {"key:a": b"1"}
    await accounts.close()
    await records.close()


async def test_a_place_that_cannot_be_opened_is_one_line_without_a_password(tmp_path: Path) -> None:
    for text in (f"sqlite:///{tmp_path}/missing/runs.db", "redis://u:hunter2-canary@127.0.0.1:1"):
        for opening in (open_accounts, open_records):
            with pytest.raises(ConfigError, match="cannot be opened") as wrong:
                await opening(parse_store(text))
            assert "hunter2-canary" not in str(wrong.value)

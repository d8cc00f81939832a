"""Tickets: one use each, for a minute."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tokenwire.accounts.records.memory import MemoryRecords
from tokenwire.accounts.records.sqlite import SqliteRecords
from tokenwire.gate.principal import Principal, Scopes
from tokenwire.gate.tickets import SECONDS, Tickets

pytestmark = pytest.mark.anyio

ANN = Principal(name="ann", key="k1", scopes=Scopes(models=("fast",)), expires=2e9)


async def test_a_ticket_is_its_principals_and_good_for_one_use() -> None:
    tickets = Tickets(MemoryRecords())
    ticket = await tickets.issue(ANN)
    assert await tickets.redeem(ticket) == ANN
    assert await tickets.redeem(ticket) is None


async def test_of_all_who_come_with_it_one_is_told() -> None:
    tickets = Tickets(MemoryRecords())
    ticket = await tickets.issue(ANN)
    told = await asyncio.gather(*(tickets.redeem(ticket) for _ in range(20)))
    assert [one for one in told if one is not None] == [ANN]


async def test_a_ticket_is_over_after_a_minute() -> None:
    now = 0.0
    tickets = Tickets(MemoryRecords(clock=lambda: now))
    ticket = await tickets.issue(ANN)
    now = SECONDS
    assert await tickets.redeem(ticket) is None


async def test_the_records_do_not_hold_what_opens() -> None:
    records = MemoryRecords()
    ticket = await Tickets(records).issue(ANN)
    (name,) = await records.list("ticket:")
    assert ticket not in name


@pytest.mark.parametrize("ticket", ["", "a", "a" * 43, "é" * 43, "a" * 1_000_000, "../key:1"])
async def test_anything_else_is_no_ticket(ticket: str) -> None:
    assert await Tickets(MemoryRecords()).redeem(ticket) is None


async def test_tickets_that_nobody_uses_do_not_pile_up_in_a_file(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    records = SqliteRecords(tmp_path / "runs.db", clock=lambda: now)
    await records.start()
    tickets = Tickets(records)
    for _ in range(5):
        await tickets.issue(ANN)
        now += SECONDS
    await records.close()
    with closing(sqlite3.connect(tmp_path / "runs.db")) as file:
        assert file.execute("SELECT count(*) FROM named").fetchone() == (1,)

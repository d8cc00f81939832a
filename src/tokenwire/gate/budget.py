"""Budgets as claims: what may be spent in a day and in a month, in tokens and in dollars.

Days and months are those of UTC. A run belongs to the ones it was asked in, however long it takes.
"""

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from ..accounts.claim import Budget
from ..config.accounts import Budget as BudgetTable

Unit = Literal["tokens", "dollars"]

MICRO = 1_000_000
"""Dollars are counted in millionths."""


class Period(NamedTuple):
    """A day or a month."""

    kind: Literal["day", "month"]
    name: str
    until: float
    """Its end, in Unix time."""


class BudgetClaim(NamedTuple):
    """A budget without a cost yet, and what it counts."""

    unit: Unit
    period: Period
    claim: Budget


def periods(now: float) -> tuple[Period, Period]:
    """The day and the month of a moment."""
    midnight = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = calendar.monthrange(midnight.year, midnight.month)[1]
    next_month = midnight.replace(day=1) + timedelta(days=days)
    return (
        Period("day", f"{midnight:%Y-%m-%d}", (midnight + timedelta(days=1)).timestamp()),
        Period("month", f"{midnight:%Y-%m}", next_month.timestamp()),
    )


def budget_claims(whose: str, table: BudgetTable, now: float) -> Iterator[BudgetClaim]:
    """The budgets of one key or principal (``key:tw_ab12``) at a moment."""
    for period in periods(now):
        limits: dict[Unit, float | None] = {
            "tokens": getattr(table, f"{period.kind}_tokens"),
            "dollars": getattr(table, f"{period.kind}_dollars"),
        }
        for unit, limit in limits.items():
            if limit is not None:
                units = round(limit * MICRO) if unit == "dollars" else int(limit)
                claim = Budget(f"{unit}:{period.name}:{whose}", units, period.until)
                yield BudgetClaim(unit, period, claim)

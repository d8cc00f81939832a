"""Days and months."""

from datetime import UTC, datetime

import pytest

from tokenwire.config.accounts import Budget
from tokenwire.gate.budget import budget_claims, periods


@pytest.mark.parametrize(
    ("moment", "day", "month"),
    [
        ("2026-11-21T17:38:01", ("2026-11-21", "2026-11-22"), ("2026-11", "2026-12-01")),
        ("2026-12-31T23:59:59", ("2026-12-31", "2027-01-01"), ("2026-12", "2027-01-01")),
        ("2028-02-29T00:00:00", ("2028-02-29", "2028-03-01"), ("2028-02", "2028-03-01")),
    ],
)
def test_periods_are_those_of_utc(moment: str, day: tuple[str, str], month: tuple[str, str]) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    for period, (name, until) in zip(periods(now), (day, month), strict=True):
        assert period.name == name
        assert period.until == datetime.fromisoformat(until).replace(tzinfo=UTC).timestamp()


def test_budgets_are_whole_numbers_under_names_of_their_own() -> None:
    table = Budget(day_tokens=1000, day_dollars=0.5, month_dollars=2.01)
    now = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
    assert [(one.unit, one.claim.key, one.claim.limit) for one in budget_claims("key:tw_a", table, now)] == [
        ("tokens", "tokens:2026-11-21:key:tw_a", 1000),
        ("dollars", "dollars:2026-11-21:key:tw_a", 500_000),
        ("dollars", "dollars:2026-11:key:tw_a", 2_010_000),
    ]

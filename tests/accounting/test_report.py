"""The ledger added up."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from tokenwire.accounts.entry import Entry
from tokenwire.ledger.formats import FORMATS, rendered
from tokenwire.ledger.report import BY, By, Report, parse_moment, report

pytestmark = pytest.mark.anyio


def entry(day: int, **fields: object) -> Entry:
    known = {
        "run_id": f"{day} {fields}",
        "thread_id": "t",
        "principal": "ada",
        "wire": "rais",
        "model_asked": "small",
        "outcome": "finished",
        "started": datetime(2026, 11, day, 23, 59, tzinfo=UTC).timestamp(),
        "seconds": 1.0,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "counted": "reported",
        "cost": 1_500_000,
    }
    return Entry(**{**known, **fields})  # type: ignore[arg-type]


ENTRIES = [
    entry(2),
    entry(1, key="tw_a", outcome="cancelled", counted="estimated"),
    entry(2, principal="=eve()", model_asked="large", cost=None, counted="unknown", prompt_tokens=None),
]


async def reported(by: By) -> Report:
    async def entries() -> AsyncIterator[Entry]:
        for one in ENTRIES:
            yield one

    return await report(entries(), by)


@pytest.mark.parametrize(
    ("by", "runs"),
    [
        ("day", {"2026-11-01": 1, "2026-11-02": 2}),
        ("principal", {"=eve()": 1, "ada": 2}),
        ("model", {"large": 1, "small": 2}),
        ("key", {"": 2, "tw_a": 1}),
    ],
)
async def test_a_line_for_each_group(by: By, runs: dict[str, int]) -> None:
    assert {line.group: line.runs for line in (await reported(by)).usage} == runs


async def test_what_is_not_known_is_said() -> None:
    total = (await reported("day")).total
    assert (total.runs, total.finished, total.estimated, total.unpriced) == (3, 2, 2, 1)
    assert (total.prompt_tokens, total.completion_tokens, total.dollars) == (20, 15, 3.0)


async def test_json_and_csv_say_the_same() -> None:
    for by in BY:
        told = await reported(by)
        lines = json.loads(rendered(told, "json"))["usage"]
        rows = list(csv.DictReader(io.StringIO(rendered(told, "csv"))))
        assert [int(row["completion_tokens"]) for row in rows] == [line["completionTokens"] for line in lines]
        assert [float(row["dollars"]) for row in rows] == [line["dollars"] for line in lines]


async def test_no_name_is_a_formula_in_a_spreadsheet() -> None:
    assert "\n'=eve()," in rendered(await reported("principal"), "csv")


async def test_a_table_is_aligned_and_ends_with_the_total() -> None:
    lines = rendered(await reported("day"), "table").splitlines()
    assert [line.split()[0] for line in lines] == ["day", "2026-11-01", "2026-11-02", "total"]
    assert len({len(line) for line in lines}) == 1


async def test_an_empty_ledger_is_a_report_as_well() -> None:
    async def nothing() -> AsyncIterator[Entry]:
        for one in ENTRIES[:0]:
            yield one

    told = await report(nothing(), "day")
    assert told.total.runs == 0
    assert all(rendered(told, form) for form in FORMATS)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-21T12:30", datetime(2026, 11, 21, 12, 30, tzinfo=UTC)),
        ("2026-11-21T12:30+01:00", datetime(2026, 11, 21, 11, 30, tzinfo=UTC)),
    ],
)
async def test_moments(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment.timestamp()

"""The ledger added up."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest

from tokenwire.accounts.entry import Entry
from tokenwire.ledger.formats import FORMATS, listed, rendered
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


async def reported(by: By, rows: Sequence[Entry] = ENTRIES) -> Report:
    async def entries() -> AsyncIterator[Entry]:
        for one in rows:
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


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
async def test_no_name_is_a_formula_in_a_spreadsheet(begins: str) -> None:
    name = f'{begins}1+1,"2\nadmin'
    (row,) = csv.DictReader(io.StringIO(rendered(await reported("principal", [entry(1, principal=name)]), "csv")))
    assert row["principal"] == f"'{name}"
    assert row["runs"] == "1"


async def test_each_row_says_all_that_is_known_of_its_run() -> None:
    rows = [
        entry(1, principal="-eve", model_served="own/up", first_token_seconds=0.25, outcome="failed", code="abandoned"),
        entry(2, cost=None, byok=True),
    ]
    first, second = csv.DictReader(io.StringIO(listed(rows, "csv")))
    assert (first["started"], first["principal"]) == ("2026-11-01T23:59:00.000+00:00", "'-eve")
    assert (first["first_token_seconds"], first["outcome"], first["code"]) == ("0.250000", "failed", "abandoned")
    assert (first["model_served"], first["dollars"], first["byok"]) == ("own/up", "1.500000", "False")
    assert (second["dollars"], second["byok"], second["key"]) == ("", "True", "")
    runs = json.loads(listed(rows, "json"))["runs"]
    assert (runs[0]["principal"], runs[0]["dollars"], runs[1]["dollars"]) == ("-eve", 1.5, None)
    assert "cost" not in runs[0]


async def test_small_money_is_written_out_and_sums_are_exact() -> None:
    costs = [1, 2, 333_333, 999_999, 12_345_678, 10**12] * 50
    told = await reported("principal", [entry(1, run_id=str(number), cost=cost) for number, cost in enumerate(costs)])
    assert told.total.dollars == sum(costs) / 1e6
    assert rendered(await reported("day", [entry(1, cost=1)]), "csv").strip().endswith(",0.000001")


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

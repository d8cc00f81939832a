"""A report, and the rows behind it, as people and programs read them."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import msgspec

from ..accounts.entry import Entry
from ..gate.budget import MICRO
from .report import Line, Report

Format = Literal["table", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
CONTENT_TYPES: dict[Format, str] = {
    "table": "text/plain; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}

_NUMBERS = [field for field in Line.__struct_fields__ if field != "group"]
_TITLES = [name.replace("_tokens", "") for name in _NUMBERS]
_FORMULA = tuple("=+-@＝＋－＠\t\r\n")


def rendered(report: Report, form: Format) -> str:
    """The report, in one of the formats."""
    if form == "json":
        return msgspec.json.encode(report).decode() + "\n"
    return _csv(report) if form == "csv" else _table(report)


def listed(entries: Iterable[Entry], form: Literal["csv", "json"]) -> str:
    """The rows themselves. Their times are of UTC, and money is in dollars."""
    rows = [_row(entry) for entry in entries]
    if form == "json":
        return msgspec.json.encode({"runs": rows}).decode() + "\n"
    titles = [field for field in Entry.__struct_fields__ if field != "cost"]
    return _written([*titles, "dollars"], (list(row.values()) for row in rows))


def _row(entry: Entry) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(entry)
    cost = row.pop("cost")
    started = datetime.fromtimestamp(entry.started, UTC).isoformat(timespec="milliseconds")
    return {**row, "started": started, "dollars": None if cost is None else cost / MICRO}


def _csv(report: Report) -> str:
    """Groups alone: whoever reads it adds up by themselves."""
    lines = ([line.group, *(getattr(line, name) for name in _NUMBERS)] for line in report.usage)
    return _written([report.by, *_NUMBERS], lines)


def _written(titles: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows([_cell(value) for value in line] for line in lines)
    return out.getvalue()


def _table(report: Report) -> str:
    rows = [[report.by, *_TITLES]]
    rows += [
        [_printable(line.group), *(_number(getattr(line, name)) for name in _NUMBERS)]
        for line in (*report.usage, report.total)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
    return "\n".join(lines) + "\n"


def _number(value: object) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def _cell(value: object) -> str:
    """A spreadsheet takes some texts for formulas, and some names are others' to choose."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None else _number(value)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text) or "-"

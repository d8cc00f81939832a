"""A report as people and programs read it."""

import csv
import io
from typing import Literal, get_args

import msgspec

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
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def rendered(report: Report, form: Format) -> str:
    """The report, in one of the formats."""
    if form == "json":
        return msgspec.json.encode(report).decode() + "\n"
    return _csv(report) if form == "csv" else _table(report)


def _csv(report: Report) -> str:
    """Groups alone: whoever reads it adds up by themselves."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([report.by, *_NUMBERS])
    for line in report.usage:
        writer.writerow([_cell(line.group), *(getattr(line, name) for name in _NUMBERS)])
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


def _cell(text: str) -> str:
    """A spreadsheet takes some texts for formulas, and some names are others' to choose."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text) or "-"

"""What the ledger says, added up."""

from collections.abc import AsyncIterable
from datetime import UTC, datetime
from typing import Literal, get_args

import msgspec

from ..accounts.entry import Entry
from ..gate.budget import MICRO

By = Literal["day", "principal", "model", "key"]
BY: tuple[By, ...] = get_args(By)


class Line(msgspec.Struct, rename="camel"):
    """The runs of one group together."""

    group: str
    runs: int = 0
    finished: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: int = 0
    """Of the runs, those whose tokens nobody reported."""
    unpriced: int = 0
    """Of the runs, those of which no price is known: they are not in the dollars."""
    dollars: float = 0.0

    def add(self, entry: Entry) -> None:
        """One more run."""
        self.runs += 1
        self.finished += entry.outcome == "finished"
        self.prompt_tokens += entry.prompt_tokens or 0
        self.completion_tokens += entry.completion_tokens or 0
        self.cached_tokens += entry.cached_tokens or 0
        self.estimated += entry.counted != "reported"
        self.unpriced += entry.cost is None
        self.dollars = round(self.dollars + (entry.cost or 0) / MICRO, 6)


class Report(msgspec.Struct):
    """A line for each group, in the order of their names, and one for everything."""

    by: By
    usage: list[Line]
    total: Line


async def report(entries: AsyncIterable[Entry], by: By) -> Report:
    """What these entries add up to. Raises what reading them raises."""
    lines: dict[str, Line] = {}
    total = Line("total")
    async for entry in entries:
        group = _group(entry, by)
        lines.setdefault(group, Line(group)).add(entry)
        total.add(entry)
    return Report(by, [lines[group] for group in sorted(lines)], total)


def parse_moment(text: str) -> float:
    """A day (``2026-11-21``, its beginning) or a moment in ISO 8601, of UTC where it names no other, as Unix time.

    Raises :class:`ValueError`.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _group(entry: Entry, by: By) -> str:
    if by == "day":
        return f"{datetime.fromtimestamp(entry.started, UTC):%Y-%m-%d}"
    return {"principal": entry.principal, "model": entry.model_asked, "key": entry.key or ""}[by]

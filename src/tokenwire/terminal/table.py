"""Markdown's tables."""

import re

from .cells import Row, cells, row_width, wrapped
from .inline import inline
from .style import Style
from .terminal import Terminal

_BAR = re.compile(r"(?<!\\)\|")
_DELIMITER = re.compile(r"\s*:?-+:?\s*")
_GAP = 2


def is_table_row(line: str) -> bool:
    """Whether a line belongs to a table."""
    return line.lstrip().startswith("|") and len(line.strip()) > 1


class Table:
    """A table that grows line by line, with its columns one below the other; bold above its line.

    One that is too wide for that stays as it was written.
    """

    def __init__(self, terminal: Terminal, base: Style) -> None:
        self._terminal = terminal
        self._base = base
        self._widths: list[int] = []
        self._lines: list[tuple[str, list[Row] | None]] = []
        """Each as it was written, and its cells; None for the line under the head."""

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, line: str) -> None:
        """One more line."""
        if all(_DELIMITER.fullmatch(text) for text in _texts(line)):
            above = [(written, self._row(written, Style.BOLD)) for written, _ in self._lines]
            self._lines = [*above, (line, None)]
            return
        row = self._row(line, Style.PLAIN)
        self._lines.append((line, row))
        self._widths += [1] * (len(row) - len(self._widths))
        for n, cell in enumerate(row):
            self._widths[n] = max(self._widths[n], row_width(cell))

    def rows(self, columns: int) -> list[Row]:
        """What it looks like now."""
        if sum(self._widths) + _GAP * (len(self._widths) - 1) > columns:
            return [row for line, _ in self._lines for row in wrapped(cells([(line, self._base)]), columns, [], [])]
        return [self._aligned(row if row is not None else self._ruler()) for _, row in self._lines]

    def forget_rows(self) -> None:
        """The rows so far are shown for good; only their widths count for those that follow."""
        self._lines = []

    def _row(self, line: str, style: Style) -> list[Row]:
        look = self._base | style
        return [cells(inline(text.strip(), look, ticks=not self._terminal.colour)) for text in _texts(line)]

    def _ruler(self) -> list[Row]:
        sign = "─" if self._terminal.unicode else "-"
        return [cells([(sign * width, Style.DIM)]) for width in self._widths]

    def _aligned(self, row: list[Row]) -> Row:
        aligned: Row = []
        for cell, width in zip(row, self._widths, strict=False):
            aligned += [*cell, *cells([(" " * (width - row_width(cell) + _GAP), self._base)])]
        while aligned and aligned[-1][0] == " ":
            aligned.pop()
        return aligned


def _texts(line: str) -> list[str]:
    return _BAR.split(line.strip().removeprefix("|").removesuffix("|"))

"""The last rows on a terminal, which can still change."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from .cells import Cell, Row, cells, row_width, wrapped
from .style import Style
from .terminal import Terminal, printable


class Screen:
    """Shows rows that grow and change, and below them a status that goes away again.

    Only what differs from what is shown is written, as one piece, so that nothing flickers: most of the time that is
    some text at the end. Rows that have left the screen at its top stay as they are. The cursor is behind the last
    row.
    """

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._rows: list[Row] = []
        self._status: Row | None = None
        self._shown: list[Row] = [[]]
        self._columns = terminal.size().columns

    @property
    def columns(self) -> int:
        """How many of a row's places can be used; the last one stays free, where terminals differ about wrapping."""
        return max(8, self.terminal.size().columns - 1)

    def say(self, text: str, style: Style) -> None:
        """Text that is complete."""
        for line in printable(text).split("\n"):
            self.show(wrapped(cells([(line, style)]), self.columns, [], []))
            self.keep()

    def show(self, rows: list[Row]) -> None:
        """These rows in place of those since :meth:`keep`."""
        self._rows = rows
        self._refresh()

    def status(self, status: Row | None) -> None:
        """A row below all others, until the next one or None."""
        if status != self._status:
            self._status = status
            self._refresh()

    def keep(self) -> None:
        """The rows stay as they are; what is shown next is below them."""
        status, self._status = self._status, None
        self._refresh()
        self.terminal.write("\n")
        self._rows, self._shown, self._status = [], [[]], status
        self._refresh()

    def _refresh(self) -> None:
        rows = [*self._rows, *([self._status] if self._status is not None else [])] or [[]]
        before = self._shown
        if rows == before:
            return
        columns, lines = self.terminal.size()
        # after a change of width nobody knows where the earlier rows are
        top = max(0, len(before) - (lines if columns == self._columns else 1))
        self._columns = columns
        rows += [[] for _ in range(top + 1 - len(rows))]
        start = next((n for n, (old, new) in enumerate(zip(before, rows, strict=False)) if old != new), None)
        if start is None:
            start = min(len(before), len(rows)) - 1
        self._shown = rows
        self.terminal.write(self._change(before, rows, max(start, top)))

    def _change(self, before: Sequence[Row], rows: Sequence[Row], start: int) -> str:
        """What turns ``before`` into ``rows``, which are the same up to the row ``start``."""
        old, new = before[start], rows[start]
        common = next((n for n, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), None)
        if common is None:
            common = min(len(old), len(new))
        up = len(before) - 1 - start
        if up == 0 and common == len(old):
            return self._written([new[common:], *rows[start + 1 :]])
        if not all(text.isascii() for text, _ in new[:common]):
            # terminals differ about the width of some characters, so no column behind one is sure
            common = 0
        move = (f"\x1b[{up}A" if up else "") + "\r"
        if common:
            move += f"\x1b[{row_width(new[:common])}C"
        return f"{move}\x1b[J" + self._written([new[common:], *rows[start + 1 :]])

    def _written(self, rows: Iterable[Sequence[Cell]]) -> str:
        return "\n".join(
            "".join(
                self.terminal.paint("".join(text for text, _ in run), style)
                for style, run in groupby(row, key=lambda cell: cell[1])
            )
            for row in rows
        )

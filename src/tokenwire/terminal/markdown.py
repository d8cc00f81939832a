"""Markdown on a terminal while it is being written."""

import re
from typing import NamedTuple

from .cells import Row, cells, cut, wrapped
from .inline import inline
from .screen import Screen
from .style import Span, Style
from .table import Table, is_table_row
from .terminal import Terminal, printable

_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*([^`]*)$")
_HEADING = re.compile(r" {0,3}#{1,6}\s+(?=\S)")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}\s*$")
_BULLET = re.compile(r"(\s*)[-*+]\s+(?:\[([ xX])\]\s+)?")
_NUMBER = re.compile(r"(\s*)(\d{1,9}[.)])\s+")
_QUOTE = re.compile(r" {0,3}>\s?")
_UNDECIDED = re.compile(r"[\s#>*+\-_`~|]*(?:\d{1,9}[.)]?)?\s*(?:\[[ xX]?\]?)?")
"""The beginning of a line, as long as it may still become markup."""

_MAX_QUOTES = 4
_MAX_TABLE = 100
"""Rows of a table whose columns may still become wider."""
_MAX_LINE = 3000
"""Characters of a line after which it is broken, so that showing it again stays quick."""


class _Block(NamedTuple):
    """What a line is: text, and what stands before it and before the rows it goes on in."""

    first: list[Span]
    following: list[Span]
    text: str
    style: Style


class MarkdownView:
    """Shows Markdown that comes in pieces: each line is shown as it grows, and stays once it is complete.

    :param base: the style of all of it.
    """

    def __init__(self, screen: Screen, base: Style = Style.PLAIN) -> None:
        self._screen = screen
        self._terminal: Terminal = screen.terminal
        self._base = base
        self._line = ""
        self._fence = ""
        self._table: Table | None = None
        self._begun = False
        self._gap = False

    def feed(self, text: str) -> None:
        """More of the text."""
        *complete, self._line = (self._line + printable(text)).split("\n")
        for line in complete:
            self._complete(line)
        while len(self._line) > _MAX_LINE:
            end = self._line.rfind(" ", 1, _MAX_LINE) + 1 or _MAX_LINE
            self._complete(self._line[:end])
            self._line = self._line[end:]
        if not self._line.strip() or (not self._fence and is_table_row(self._line)):
            return
        rows = self._rows(self._line, growing=True)
        if rows is not None:
            self._end_table()
            self._end_gap()
            self._screen.show(rows)

    def end(self) -> None:
        """There is no more."""
        if self._line:
            self._complete(self._line)
            self._line = ""
        self._end_table()

    def _complete(self, line: str) -> None:
        """Shows a line for good."""
        if not self._fence and is_table_row(line):
            self._end_gap()
            self._begun = True
            if self._table is None:
                self._table = Table(self._terminal, self._base)
            self._table.add(line)
            self._screen.show(self._table.rows(self._screen.columns))
            if len(self._table) == _MAX_TABLE:
                self._screen.keep()
                self._table.forget_rows()
            return
        self._end_table()
        if not line.strip() and not self._fence:
            self._gap = self._begun
            return
        self._end_gap()
        rows = self._rows(line, growing=False)
        match = _FENCE.match(line)
        if match and not self._fence:
            self._fence = match[1]
        elif match and match[1].startswith(self._fence) and not match[2].strip():
            self._fence = ""
        self._screen.show(rows or [[]])
        self._screen.keep()
        self._begun = True

    def _end_gap(self) -> None:
        """Any number of blank lines is one, and none at the beginning and the end."""
        if self._gap:
            self._gap = False
            self._screen.keep()

    def _end_table(self) -> None:
        if self._table:
            self._screen.keep()
        self._table = None

    def _rows(self, line: str, *, growing: bool) -> list[Row] | None:
        """What a line looks like. None while that depends on what is still to come."""
        columns = self._screen.columns
        fence = _FENCE.match(line)
        if self._fence:
            if growing and self._fence.startswith(line.strip()):
                return None
            if fence and fence[1].startswith(self._fence) and not fence[2].strip():
                return [cells([(self._sign("─", "-") * 3, Style.DIM)])]
            return cut(cells([(line, self._base | Style.CODE)]), columns)
        if growing and (fence or _UNDECIDED.fullmatch(line)):
            return None
        if fence:
            label = f"{self._sign('─', '-') * 3} {fence[2].strip()}".rstrip()
            return [cells([(label, Style.DIM)])]
        if _RULE.match(line):
            return [cells([(self._sign("─", "-") * min(columns, 40), Style.DIM)])]
        block = self._block(line)
        spans = inline(block.text, self._base | block.style, growing=growing, ticks=not self._terminal.colour)
        return wrapped(cells(spans), columns, cells(block.first), cells(block.following))

    def _block(self, line: str) -> _Block:
        quotes: list[Span] = []
        while len(quotes) < _MAX_QUOTES and (match := _QUOTE.match(line)):
            quotes.append((self._sign("│ ", "| "), Style.DIM))
            line = line[match.end() :]
        if match := _HEADING.match(line):
            text = line[match.end() :].rstrip().rstrip("#").rstrip()
            return _Block(quotes, quotes, text or line, Style.HEADING)
        if match := _BULLET.match(line):
            mark = {None: "•", " ": "☐", "x": "☑", "X": "☑"}[match[2]]
            ascii_mark = {None: "-", " ": "[ ]", "x": "[x]", "X": "[x]"}[match[2]]
            return _item(quotes, match[1], self._sign(mark, ascii_mark), line[match.end() :])
        if match := _NUMBER.match(line):
            return _item(quotes, match[1], match[2], line[match.end() :])
        text = line.lstrip()
        indent = (line[: len(line) - len(text)], Style.PLAIN)
        return _Block([*quotes, indent], [*quotes, indent], text, Style.PLAIN)

    def _sign(self, sign: str, ascii_sign: str) -> str:
        return sign if self._terminal.unicode else ascii_sign


def _item(quotes: list[Span], indent: str, mark: str, text: str) -> _Block:
    first = (f"{indent}{mark} ", Style.DIM)
    following = (" " * (len(indent.expandtabs(4)) + len(mark) + 1), Style.PLAIN)
    return _Block([*quotes, first], [*quotes, following], text, Style.PLAIN)

"""Text on the grid of a terminal: what each place shows, and where lines are broken."""

import unicodedata
from collections.abc import Iterable, Sequence

from .style import Span, Style

Cell = tuple[str, Style]
"""One character, with the marks that combine with it."""
Row = list[Cell]

_TAB = " " * 4
_SPACES = (" ", "\t")


def width(text: str) -> int:
    """How many columns text takes."""
    return len(text) if text.isascii() else sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def row_width(row: Sequence[Cell]) -> int:
    """How many columns a row takes."""
    return width("".join([text for text, _ in row]))


def cells(spans: Iterable[Span]) -> Row:
    """The cells of styled text."""
    row: Row = []
    for text, style in spans:
        if text.isascii():
            row += [(character, style) for character in text.replace("\t", _TAB)]
            continue
        for character in text.replace("\t", _TAB):
            if row and _character_width(character) == 0:
                row[-1] = (row[-1][0] + character, row[-1][1])
            else:
                row.append((character, style))
    return row


def wrapped(text: Sequence[Cell], columns: int, first: Row, following: Row) -> list[Row]:
    """Rows of whole words, each after its indent; a word that is longer than a row is cut.

    Spaces at a break are left out, those at the very end are kept: more text may follow.
    """
    rows = [list(first)]
    used = row_width(first)
    for word in _words(text):
        taken = row_width(word)
        if word[0][0] in _SPACES:
            if used + taken <= columns:
                rows[-1] += word
                used += taken
            else:
                used = columns
            continue
        if used + taken > columns and len(rows[-1]) > len(first if len(rows) == 1 else following):
            _drop_spaces(rows[-1])
            rows.append(list(following))
            used = row_width(following)
        for cell in word:
            if used + width(cell[0]) > columns:
                rows.append(list(following))
                used = row_width(following)
            rows[-1].append(cell)
            used += width(cell[0])
    return rows


def cut(text: Row, columns: int) -> list[Row]:
    """Rows that are broken where they are full, and so lose nothing, as code needs it."""
    rows: list[Row] = [[]]
    used = 0
    for cell in text:
        taken = width(cell[0])
        if used + taken > columns:
            rows.append([])
            used = 0
        rows[-1].append(cell)
        used += taken
    return rows


def _words(text: Sequence[Cell]) -> Iterable[Sequence[Cell]]:
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or (text[index][0] in _SPACES) != (text[start][0] in _SPACES):
            yield text[start:index]
            start = index


def _drop_spaces(row: Row) -> None:
    while row and row[-1][0] in _SPACES:
        row.pop()

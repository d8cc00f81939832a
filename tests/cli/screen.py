"""What a terminal shows of the bytes it was sent: as much of an emulator as the chat needs."""

import re
import unicodedata

_SEQUENCE = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])")


class EmulatedScreen:
    """A grid of characters with a cursor. A sequence it does not know is a failure of the test."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self.columns = columns
        self.lines = lines
        self.moves = 0
        """How often the cursor went up."""
        self.styles: dict[str, set[str]] = {}
        """The texts that were written in a style, by its parameters."""
        self._rows = [[" "] * columns]
        self._row = self._column = 0
        self._style = ""
        self._rest = ""

    def text(self) -> str:
        """Everything on it, what has scrolled out at the top too."""
        return "\n".join("".join(row).rstrip() for row in self._rows).rstrip()

    def feed(self, text: str) -> None:
        """Takes what is sent to the terminal, cut anywhere."""
        text, self._rest = self._rest + text, ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                match = _SEQUENCE.match(text, at)
                if match is None:
                    assert re.fullmatch(r"\x1b(\[[?\d;]*)?", text[at:]), f"unknown sequence {text[at : at + 20]!r}"
                    self._rest = text[at:]
                    return
                self._control(match[1], match[2])
                at = match.end()
            else:
                self._character(text[at])
                at += 1

    def _control(self, parameters: str, final: str) -> None:
        count = int(parameters) if parameters.isdecimal() else 1
        match final:
            case "A":
                self.moves += 1
                assert count <= self._row - max(0, len(self._rows) - self.lines), "went up past the top of the screen"
                self._row -= count
            case "B":
                self._row += count
            case "C":
                self._column = min(self._column + count, self.columns - 1)
            case "D":
                self._column = max(self._column - count, 0)
            case "J":
                del self._rows[self._row + 1 :]
                self._blank(self._column)
            case "K":
                self._blank(self._column)
            case "m":
                self._style = "" if parameters == "0" else parameters
            case "h" | "l":
                assert parameters.startswith("?"), parameters
            case _:
                raise AssertionError(f"unknown sequence {parameters}{final}")

    def _character(self, character: str) -> None:
        match character:
            case "\n":
                self._row += 1
                if self._row == len(self._rows):
                    self._rows.append([" "] * self.columns)
            case "\r":
                self._column = 0
            case "\b":
                self._column = max(0, self._column - 1)
            case "\a":
                pass
            case _:
                assert unicodedata.category(character) != "Cc", f"a control: {character!r}"
                self._write(character)

    def _write(self, character: str) -> None:
        if unicodedata.combining(character):
            self._rows[self._row][self._column - 1] += character
            return
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self._column + width > self.columns:
            self._character("\r")
            self._character("\n")
        self._rows[self._row][self._column : self._column + width] = [character, *[""] * (width - 1)]
        self._column += width
        if self._style:
            self.styles.setdefault(self._style, set()).add(character)

    def _blank(self, column: int) -> None:
        row = self._rows[self._row]
        row[column:] = [" "] * (self.columns - column)

"""How a piece of text looks, and the escape sequences for it."""

from enum import Flag, auto


class Style(Flag):
    """What text is to look like; any of them together."""

    PLAIN = 0
    BOLD = auto()
    DIM = auto()
    ITALIC = auto()
    UNDERLINE = auto()
    STRUCK = auto()
    HEADING = auto()
    CODE = auto()
    LINK = auto()
    PROMPT = auto()
    ERROR = auto()


Span = tuple[str, Style]

_ATTRIBUTES = {
    Style.BOLD: "1",
    Style.HEADING: "1",
    Style.PROMPT: "1",
    Style.DIM: "2",
    Style.ITALIC: "3",
    Style.UNDERLINE: "4",
    Style.LINK: "4",
    Style.STRUCK: "9",
}
_COLOURS = {Style.HEADING: "35", Style.CODE: "36", Style.LINK: "34", Style.PROMPT: "32", Style.ERROR: "31"}


def painted(text: str, style: Style, colour: bool) -> str:
    """Text between its escape sequences. Without ``colour`` it has weight, slant and lines only."""
    codes = [code for flag, code in _ATTRIBUTES.items() if flag in style]
    if colour:
        codes += [code for flag, code in _COLOURS.items() if flag in style]
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes and text else text

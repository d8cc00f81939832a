"""Markdown within a line: emphasis, code and links."""

import re

from .style import Span, Style

_TOKEN = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|(?P<ticks>`+)"
    r"|!?\[(?P<label>[^\[\]]*)\]\((?P<target>(?:[^()\s]|\([^()\s]*\))*)(?:\s+\"[^\"]*\")?\)"
    r"|<(?P<bracketed>https?://[^\s<>]+)>"
    r"|(?P<url>https?://[^\s<>()\[\]`]*[^\s<>()\[\]`*_~.,;:!?'\"])"
    r"|(?P<run>\*+|_+|~~)"
)
_MAX_OPEN = 8
_MARKERS = {
    "*": Style.ITALIC,
    "_": Style.ITALIC,
    "**": Style.BOLD,
    "__": Style.BOLD,
    "~~": Style.STRUCK,
}


def inline(source: str, style: Style = Style.PLAIN, *, growing: bool = False, ticks: bool = False) -> list[Span]:
    """Styled text. It takes time in proportion to the source.

    :param growing: more of the line is to come: what is open then counts as marked up, rather than changing its look
        when it is closed, and marks at the very end wait for what follows them.
    :param ticks: code keeps its backticks, where nothing else tells it from text.
    """
    line = _Line(style, ticks)
    line.read(source.rstrip("*_~`\\") if growing else source, growing)
    return [(text, look) for text, look in line.spans if text]


class _Line:
    def __init__(self, style: Style, ticks: bool) -> None:
        self.spans: list[Span] = []
        self._style = style
        self._ticks = ticks
        self._open: list[tuple[str, int]] = []
        """Markers that are not closed yet, and their places in ``spans``."""

    def read(self, source: str, growing: bool) -> None:
        at = 0
        while match := _TOKEN.search(source, at):
            self._add(source[at : match.start()])
            at = match.end()
            if match["escaped"]:
                self._add(match["escaped"])
            elif match["ticks"]:
                at = self._code(source, match["ticks"], at, growing)
            elif match["label"] is not None:
                self._link(match["label"], match["target"])
            elif link := match["bracketed"] or match["url"]:
                self._add(link, Style.LINK)
            else:
                before, after = source[: match.start()][-1:], source[match.end() :][:1]
                self._emphasis(match["run"], before, after)
        self._add(source[at:])
        if growing:
            for marker, place in self._open:
                self._mark(marker, place)

    def _add(self, text: str, style: Style = Style.PLAIN) -> None:
        self.spans.append((text, self._style | style))

    def _code(self, source: str, ticks: str, at: int, growing: bool) -> int:
        end = next((m.start() for m in re.finditer("`+", source[at:]) if m[0] == ticks), None)
        if end is None and not growing:
            self._add(ticks)
            return at
        code = source[at:] if end is None else source[at : at + end]
        if code.startswith(" ") and code.endswith(" ") and code.strip():
            code = code[1:-1]
        self._add(f"{ticks}{code}{ticks if end is not None else ''}" if self._ticks else code, Style.CODE)
        return len(source) if end is None else at + end + len(ticks)

    def _link(self, label: str, target: str) -> None:
        # the target is always shown: a label can say anything
        if label.strip() in ("", target):
            self._add(target, Style.LINK)
            return
        self.spans += inline(label, self._style, ticks=self._ticks)
        self._add(" (", Style.DIM)
        self._add(target, Style.DIM | Style.LINK)
        self._add(")", Style.DIM)

    def _emphasis(self, run: str, before: str, after: str) -> None:
        opens = bool(after) and not after.isspace()
        closes = bool(before) and not before.isspace()
        if run[0] == "_":
            opens, closes = opens and not before.isalnum(), closes and not after.isalnum()
        if len(run) > 3:
            self._add(run)
            return
        while run:
            marker = self._closed_by(run) if closes else None
            if marker is not None:
                self._close(marker)
            else:
                marker = run if run == "~~" else run[: 2 if len(run) > 1 else 1]
                if opens and len(self._open) < _MAX_OPEN:
                    self._open.append((marker, len(self.spans)))
                self._add(marker)
            run = run[len(marker) :]

    def _closed_by(self, run: str) -> str | None:
        """The innermost open marker that a run closes."""
        return next((marker for marker, _ in reversed(self._open) if run.startswith(marker)), None)

    def _close(self, marker: str) -> None:
        while True:
            inner, place = self._open.pop()
            if inner == marker:
                self._mark(marker, place)
                return

    def _mark(self, marker: str, place: int) -> None:
        look = _MARKERS[marker]
        self.spans[place] = ("", self._style)
        self.spans[place:] = [(text, style | look) for text, style in self.spans[place:]]

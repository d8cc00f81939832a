"""Markdown on a terminal: what it looks like, however it is cut, and that nothing in it reaches the terminal raw."""

import io
import os
import random
import re
from collections.abc import Iterator, Sequence

import pytest

from tokenwire.terminal.markdown import MarkdownView
from tokenwire.terminal.screen import Screen
from tokenwire.terminal.style import Style
from tokenwire.terminal.terminal import Terminal, printable

from .screen import EmulatedScreen

PAGE = """\


# Primes & **more**

A *prime* has **two** divisors, `1` and ~~none~~ itself; see [the list](https://example.com/a_(b)) or
https://example.com/x_y_z. And 2 ** 3, snake_case_name, *args, \\*literal\\*, ***both***.

* one
+ two, which is long enough that it has to go on in another row of the terminal
  - [x] nested
  - [ ] open
12. twelfth


> quoted `code`
> > twice

```python
def f(x):  # *not italic*

    return "`x`"
```
| name | **value** |
|:-----|----------:|
| one | 1 |
| twenty-two | `22` |

***
日本語のとても長い文章はどこでも折り返すことができます。これは端末の幅より長い文です。
end"""

SHOWN = """\
Primes & more

A prime has two divisors, 1 and none itself;
see the list (https://example.com/a_(b)) or
https://example.com/x_y_z. And 2 ** 3,
snake_case_name, *args, *literal*, both.

• one
• two, which is long enough that it has to go
  on in another row of the terminal
  ☑ nested
  ☐ open
12. twelfth

│ quoted code
│ │ twice

─── python
def f(x):  # *not italic*

    return "`x`"
───
name        value
──────────  ─────
one         1
twenty-two  22

────────────────────────────────────────
日本語のとても長い文章はどこでも折り返すことが
できます。これは端末の幅より長い文です。
end"""


class Tty(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class SizedTerminal(Terminal):
    """A terminal of a size."""

    def __init__(self, columns: int = 48, lines: int = 24, *, no_color: str = "") -> None:
        self.tty = Tty()
        super().__init__(self.tty, {"TERM": "xterm", "NO_COLOR": no_color})
        self.dimensions = (columns, lines)

    def size(self) -> os.terminal_size:
        return os.terminal_size(self.dimensions)

    def screen(self) -> EmulatedScreen:
        """What is on it."""
        screen = EmulatedScreen(*self.dimensions)
        screen.feed(self.tty.getvalue().replace("\n", "\r\n"))
        return screen


def shown(pieces: Sequence[str], *, no_color: str = "") -> EmulatedScreen:
    """The screen after a text that came in pieces."""
    terminal = SizedTerminal(no_color=no_color)
    view = MarkdownView(Screen(terminal))
    for piece in pieces:
        view.feed(piece)
    view.end()
    return terminal.screen()


def cuts(text: str) -> Iterator[list[str]]:
    yield [text]
    for size in (1, 2, 3, 7):
        yield [text[at : at + size] for at in range(0, len(text), size)]
    chance = random.Random(7)  # noqa: S311
    for _ in range(20):
        at = sorted(chance.sample(range(len(text)), 30))
        yield [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True)]


def test_a_page_looks_the_same_however_it_is_cut() -> None:
    for pieces in cuts(PAGE):
        assert shown(pieces).text() == SHOWN, pieces


def test_styles() -> None:
    screen = shown([PAGE])
    assert {"3", "1", "9", "36", "1;35"} <= set(screen.styles)
    assert "2;4;34" in screen.styles


def test_no_colour_keeps_weight_and_shows_what_is_code() -> None:
    screen = shown(["# A\n**b** `c` [d](https://e.example)"], no_color="1")
    assert screen.text() == "A\nb `c` d (https://e.example)"
    assert set(screen.styles) == {"1", "2", "2;4"}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("**open", "**open"),
        ("a * b * c", "a * b * c"),
        ("`open", "`open"),
        ("``a`b``", "a`b"),
        ("[no](", "[no]("),
        ("[](https://a.example)", "https://a.example"),
        ("**a *b* c**", "a b c"),
        ("*a **b** c*", "a b c"),
        ("*a **b*** c", "a b c"),
        ("_a_b_", "a_b"),
        ("a ****", "a ****"),
        ("#tag", "#tag"),
        ("1.5 is", "1.5 is"),
        ("-5 degrees", "-5 degrees"),
        ("---x", "---x"),
        ("| lonely", "lonely"),
        ("2024", "2024"),
    ],
)
def test_a_line(source: str, text: str) -> None:
    assert shown([source]).text() == text
    assert shown(list(source)).text() == text


def test_text_that_only_grows_is_only_added_to() -> None:
    words = [f"word{n} " for n in range(200)]
    screen = shown(words)
    assert screen.moves < 40  # a word that grows out of its row; there are 35 rows
    terminal = SizedTerminal(columns=4000)
    view = MarkdownView(Screen(terminal))
    for word in words:
        view.feed(word)
    assert terminal.tty.getvalue() == "".join(words)


def test_markup_does_not_change_its_look_when_it_is_closed() -> None:
    terminal = SizedTerminal()
    view = MarkdownView(Screen(terminal))
    for piece in ("say **bo", "ld** and `co", "de` so"):
        view.feed(piece)
    assert "\x1b[J" not in terminal.tty.getvalue()


def test_a_paragraph_higher_than_the_screen() -> None:
    text = " ".join(f"word{n}" for n in range(300)) + " *closed"
    terminal = SizedTerminal(columns=20, lines=5)
    view = MarkdownView(Screen(terminal))
    for at in range(0, len(text), 4):
        view.feed(text[at : at + 4])
    view.end()
    assert terminal.screen().text().split() == text.split()


def test_a_long_table_and_a_wide_one() -> None:
    rows = [f"| row {n} | {'x' * (n % 9)} |" for n in range(250)]
    assert shown(["\n".join(rows)]).text().count("row ") == 250
    wide = "| " + " | ".join(["cell"] * 20) + " |"
    assert shown([wide]).text().replace("\n", " ").split() == wide.split()


def test_a_window_that_is_resized_while_a_line_grows() -> None:
    terminal = SizedTerminal(columns=60)
    view = MarkdownView(Screen(terminal))
    view.feed("a line that is as long as the terminal is wide, and more " * 2)
    terminal.dimensions = (30, 24)
    before = len(terminal.tty.getvalue())
    view.feed("and goes on")
    assert not re.search(r"\x1b\[\d+A", terminal.tty.getvalue()[before:])
    view.feed("\nnext")
    assert terminal.tty.getvalue().endswith("next")


EVIL = "a\x1b[2Jb\x1b]0;title\x07c\x9b31md\r\x08e\u202ef\x00g\u2028h\x7f"


def test_controls_are_shown_and_do_nothing() -> None:
    assert not set(printable(EVIL)) & {chr(code) for code in (*range(32), *range(127, 160))}
    for pieces in cuts(EVIL + " " * 20 + EVIL):
        text = shown(pieces).text()
        assert "␛[2Jb" in text
        assert "\u202e" not in text
    for source in (f"[{EVIL}](https://x.example)", f"`{EVIL}`", f"```{EVIL}\n{EVIL}", f"| {EVIL} |", f"# {EVIL}"):
        assert "␛" in shown([source]).text()


@pytest.mark.parametrize(
    "unit",
    ["*", "**a ", "_", "`", "``a`", "[", "[a](", "~~", "\\", "> ", "https://", "| ", "é\u0301", "1. ", "*a **b "],
)
def test_no_text_takes_longer_than_its_length_explains(unit: str) -> None:
    text = unit * (20_000 // len(unit))
    terminal = SizedTerminal()
    view = MarkdownView(Screen(terminal), Style.DIM)
    for at in range(0, len(text), 500):
        view.feed(text[at : at + 500])
    view.end()
    assert terminal.screen().text()

"""Where a chat is shown, and what can be done there."""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import TextIO

from .style import Style, painted

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Text that does nothing to a terminal but show itself: of all controls only newline and tab are left.

    A carriage return is left out, the others get a sign that can be seen. The marks that turn the direction of writing
    count as controls: they can make a line read as another one.
    """
    return _CONTROLS.sub(_sign, text)


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == ord("\r"):
        return ""
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"


class Terminal:
    """A stream to a person or to a program.

    ``NO_COLOR`` takes the colours away; a terminal without a name, or called ``dumb``, gets no escape sequence at all.
    """

    def __init__(self, stream: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self.is_tty = stream.isatty()
        self.live = self.is_tty and environ.get("TERM", "dumb") != "dumb"
        """Whether its cursor can be moved."""
        self.colour = self.live and not environ.get("NO_COLOR")
        self.unicode = _encodes(stream.encoding, "•─│☐…")

    def size(self) -> os.terminal_size:
        """Columns and lines now."""
        with contextlib.suppress(OSError, ValueError):
            size = os.get_terminal_size(self._stream.fileno())
            if size.columns > 0 and size.lines > 0:
                return size
        return os.terminal_size((80, 24))

    def paint(self, text: str, style: Style) -> str:
        """Text as it is written here."""
        return painted(text, style, self.colour) if self.live else text

    def write(self, text: str) -> None:
        """Shows text at once. What came from outside has to be :func:`printable`."""
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()

    @contextlib.contextmanager
    def without_echo(self) -> Iterator[None]:
        """What is typed in here is not shown now, and is there for the next prompt."""
        try:
            import termios

            descriptor = self._stream.fileno()
            before = termios.tcgetattr(descriptor)
        except (ImportError, OSError, ValueError, termios.error):
            yield
            return
        silent = [*before]
        silent[3] &= ~termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSANOW, silent)
        try:
            yield
        finally:
            termios.tcsetattr(descriptor, termios.TCSANOW, before)


def _encodes(encoding: str | None, text: str) -> bool:
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True

"""The line a person types: editing, history, completion."""

import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from .style import Style
from .terminal import Terminal

_ESCAPE = re.compile(r"\x1b\[[\d;]*m")
_KEPT = 1000
"""Lines of the history that are kept."""


class Prompt:
    """Reads what the user says, with the editing of GNU readline where Python has it.

    :param complete: all the lines that a line may become.
    """

    def __init__(self, terminal: Terminal, history: "History | None", complete: Callable[[str], list[str]]) -> None:
        self._history = history
        self._text = terminal.paint("> ", Style.PROMPT)
        self._more = terminal.paint(". ", Style.PROMPT)
        with contextlib.suppress(ImportError):
            import readline

            # readline is told what takes no room on the line
            self._text, self._more = (_ESCAPE.sub("\x01\\g<0>\x02", text) for text in (self._text, self._more))
            for line in history.lines if history is not None else ():
                readline.add_history(line)
            readline.set_completer_delims("")
            readline.set_completer(_completer(complete))
            libedit = "libedit" in (readline.__doc__ or "")
            readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")

    def read(self) -> str:
        """What was typed; a line that ends in a backslash goes on in the next.

        Raises :class:`EOFError` at the end of the input, :class:`KeyboardInterrupt` for Ctrl-C.
        """
        text = input(self._text)
        while text.endswith("\\"):
            text = text[:-1] + "\n" + input(self._more)
        if self._history is not None and text.strip():
            self._history.add(text)
        return text


class History:
    """What was typed in earlier chats: a file that only its owner can read.

    Where it cannot be kept, there is none: a chat does not depend on it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lines: list[str] = []
        with contextlib.suppress(OSError, ValueError):
            rows = path.read_text("utf-8").splitlines()
            self.lines = [str(json.loads(row)) for row in rows[-_KEPT:]]
            if len(rows) > 2 * _KEPT:
                path.write_text("".join(f"{row}\n" for row in rows[-_KEPT:]), "utf-8")

    def add(self, line: str) -> None:
        """Keeps a line at once, so that chats beside each other keep the lines of both."""
        self.lines.append(line)
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(f"{json.dumps(line)}\n")


def history_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the history is: in the state folder of the XDG specification."""
    state = environ.get("XDG_STATE_HOME", "")
    folder = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return folder / "tokenwire" / "history"


def _completer(complete: Callable[[str], list[str]]) -> Callable[[str, int], str | None]:
    def candidate(line: str, number: int) -> str | None:
        found = complete(line)
        return found[number] if number < len(found) else None

    return candidate

"""A person at a terminal: types, reads the screen, presses Ctrl-C."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from .command import environment
from .screen import EmulatedScreen

_PATIENCE = 30.0
CTRL_C, CTRL_D = "\x03", "\x04"


class Person:
    """Sits at the pseudo-terminal of a running command."""

    def __init__(self, descriptor: int, process: "subprocess.Popen[bytes]", screen: EmulatedScreen) -> None:
        self.process = process
        self.screen = screen
        self.received = ""
        """Everything that was sent to the terminal."""
        self._descriptor = descriptor

    def type(self, text: str) -> None:
        """Presses keys."""
        os.write(self._descriptor, text.encode())

    def say(self, line: str) -> None:
        """Types a line at the prompt, once it is there."""
        self.at_the_prompt()
        before = self.screen.text()
        self.type(f"{line}\r")
        self.until(lambda: self.screen.text() != before, f"{line!r} was not typed")

    def sees(self, text: str) -> str:
        """Waits until the screen shows a text; returns all of it."""
        return self.until(lambda: text in self.screen.text(), f"{text!r} was not shown")

    def at_the_prompt(self) -> str:
        """Waits until a line may be typed; returns the screen."""
        return self.until(lambda: self.screen.text().endswith("\n>"), "no prompt")

    def until(self, condition: Callable[[], bool], what: str = "it never came") -> str:
        """Reads on until a condition holds."""
        end = time.monotonic() + _PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{what}:\n{self.screen.text()}\n{self.received[-2000:]!r}"
            if not self._read(end):
                assert condition(), f"{what} before the end:\n{self.screen.text()}\n{self.received[-2000:]!r}"
        return self.screen.text()

    def leaves_by_ctrl_c(self) -> int:
        """Presses Ctrl-C at the prompt until it is heard; returns the exit code.

        One that comes after readline has shown the prompt, and before it waits for keys, is heard with the next key.
        """
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            self.type(CTRL_C)
            with suppress(subprocess.TimeoutExpired):
                return self.process.wait(1)
        raise AssertionError(f"Ctrl-C was not heard:\n{self.screen.text()}")

    def leaves(self) -> int:
        """Waits until the command ends; returns its exit code."""
        end = time.monotonic() + _PATIENCE
        while self._read(end):
            pass
        return self.process.wait(_PATIENCE)

    def _read(self, end: float) -> bool:
        if not select.select([self._descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
            return False
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the last process at the other side is gone
            return False
        text = data.decode()
        self.received += text
        self.screen.feed(text)
        return bool(data)


@contextmanager
def at_a_terminal(
    home: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    columns: int = 80,
    lines: int = 24,
) -> Iterator[Person]:
    """Runs ``tokenwire chat`` at a terminal of its own, with its files below ``home``."""
    command = [sys.executable, "-W", "error", "-m", "tokenwire", "chat", *arguments]
    ours, theirs = pty.openpty()
    _set_size(theirs, columns, lines)
    own = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "XDG_STATE_HOME": str(home), "INPUTRC": os.devnull}
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment({**own, **(env or {})}),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - so that Ctrl-C is a signal
    )
    os.close(theirs)
    try:
        yield Person(ours, process, EmulatedScreen(columns, lines))
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _set_size(descriptor: int, columns: int, lines: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

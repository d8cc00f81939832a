"""A wall clock that jumps, for whoever is started with it."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

from .arena import Unavailable

_SOURCE = Path(__file__).with_suffix(".c")


class Clock:
    """Right at first. `env` is the environment of those who read it: whole programs, as far as they use the C library.

    The machine's own clock is left alone.
    """

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            raise Unavailable("a wrong clock takes a C compiler")
        library, self._file = folder / "clock.so", folder / "clock"
        command = [compiler, "-shared", "-fPIC", "-o", str(library), str(_SOURCE)]
        if subprocess.run(command, capture_output=True).returncode:
            raise Unavailable("a wrong clock takes a C compiler for Linux")
        self.jump_to(0)
        self.env = {"LD_PRELOAD": str(library), "FAKE_CLOCK": str(self._file)}

    def jump_to(self, seconds: int) -> None:
        """From now on it is wrong by so many seconds."""
        # never truncated: it is mapped
        with os.fdopen(os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(struct.pack("q", seconds))

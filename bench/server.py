"""A contender that runs."""

import contextlib
import tempfile
from pathlib import Path
from typing import Self

from .contender import Command, Contender, Place, environment
from .errors import MeasurementError
from .service import Service, free_port


class Server:
    """A contender started fresh, with a port and a folder of its own, until the end of the `with` block."""

    def __init__(self, contender: Contender, upstream_port: int) -> None:
        self.contender = contender
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        folder = Path(self._folder.name)
        place = Place(self.port, upstream_port, free_port(), folder)
        self._beside = contender.beside and _start(contender.beside(place), place.beside_port, folder / "log.beside")
        if self._beside:
            with contextlib.suppress(MeasurementError):  # the server will say what it misses
                self._beside.wait_until_listening(10)
        self.service = _start(contender.command(place), self.port, folder / "log")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.contender.path}"

    @property
    def join_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.contender.join}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stop()
        if self._beside:
            self._beside.stop()
        self._folder.cleanup()


def _start(command: Command, port: int, log: Path) -> Service:
    return Service(command.argv, port, log, environment(command))

"""A contender that runs."""

import tempfile
from pathlib import Path
from typing import Self

from .contender import Contender, Place, environment
from .service import Service, free_port


class Server:
    """A contender started fresh, with a port and a folder of its own, until the end of the `with` block."""

    def __init__(self, contender: Contender, upstream_port: int) -> None:
        self.contender = contender
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        folder = Path(self._folder.name)
        command = contender.command(Place(self.port, upstream_port, folder))
        self.service = Service(command.argv, self.port, folder / "log", environment(command))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.contender.path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stop()
        self._folder.cleanup()

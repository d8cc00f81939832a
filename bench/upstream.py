"""The scripted model behind every contender."""

import json
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Self

from .process import ProcessTree
from .service import Service, free_port


class Upstream:
    """One address; each `script` starts it anew, so that no contender inherits another's connections."""

    def __init__(self, wire: Path) -> None:
        self.port = free_port()
        self._wire = wire
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self._service: Service | None = None

    def script(self, tokens: int, interval: float) -> ProcessTree:
        """From now on answer with so many tokens, so many seconds apart."""
        self._stop()
        argv = [str(self._wire), "upstream", "-addr", f"127.0.0.1:{self.port}"]
        argv += ["-chunks", str(tokens), "-interval", f"{interval:f}s"]
        self._service = Service(argv, self.port, Path(self._folder.name) / "log")
        self._service.wait_until_listening(10)
        time.sleep(0.3)  # the servers take notice of their lost connections outside of what is measured
        return self._service.tree

    def aborts(self) -> dict[int, int]:
        """By a reply's first token: when, in Unix nanoseconds, its connection was seen closed."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/aborts", timeout=5) as response:
            return {int(first): at for first, at in json.load(response).items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._folder.cleanup()

    def _stop(self) -> None:
        if self._service:
            self._service.stop()
            self._service = None

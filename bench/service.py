"""A program that listens on a port of the loopback."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from .errors import MeasurementError
from .process import ProcessTree


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Service:
    """Started on construction, in a session of its own so that it can be ended whole."""

    def __init__(self, argv: list[str], port: int, log: Path, env: Mapping[str, str] | None = None) -> None:
        self._port = port
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                argv,
                env=env,
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.tree = ProcessTree(self._process.pid)

    def wait_until_listening(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 0.5):
                return
            time.sleep(0.05)
        raise MeasurementError("it did not start to listen")

    def last_words(self) -> str:
        """The end of what it has printed."""
        return self._log.read_text(errors="replace").strip()[-600:] or "(empty)"

    def stop(self) -> None:
        """Ends it, and after some seconds whatever is left of it."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, sig)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(3)

"""One of several servers: a process that dies and comes back at the same address."""

import asyncio
import os
import random
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path

_PORTS = range(20_000, 32_000)
"""Below those that the system gives away, so that nothing takes a dead server's place."""


class Node:
    """A ``tokenwire serve``.

    :param within: the command that runs the server's, for one that lives in a network of its own.
    """

    def __init__(
        self,
        log: Path,
        *arguments: str | Path,
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        port = _free_port()
        self.address = f"{host}:{port}"
        self.url = f"http://{self.address}"
        self.log = log
        self._command = [*within, sys.executable, "-m", "tokenwire", "serve", "--host", host, "--port", str(port)]
        self._command += map(str, arguments)
        # a developer's own proxy is not asked for what is on this machine
        inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self._env = {**inherited, **(env or {})}
        self._process: Process | None = None

    async def start(self) -> None:
        """Returns once it serves."""
        with self.log.open("a") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdout=PIPE, stderr=errors, env=self._env
            )
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if b"page" in line:
                return
        raise RuntimeError(f"it did not start: {self.log.read_text()}")

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Returns once it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(number)
        await process.communicate()

    async def stop(self) -> None:
        """Ends it without waiting for its answers.

        :raises RuntimeError: with the traceback that it logged, if it did at any time.
        """
        await self.kill(signal.SIGINT)
        if "Traceback" in (log := self.log.read_text()):
            raise RuntimeError(f"the server's log holds a traceback:\n{log[-4000:]}")


def _free_port() -> int:
    while True:
        port = random.choice(_PORTS)  # noqa: S311
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port

"""One server of several, as whoever deploys it sees it: a process that serves, is told to leave, and ends."""

import asyncio
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_BANNER = re.compile(rb"page +(http\S+)")
_PATIENCE = 40.0


class Node:
    """A running server."""

    def __init__(self, url: str, process: Process) -> None:
        self.url = url
        self._process = process

    async def leave(self) -> None:
        """Tells it to stop, and returns once it has; RuntimeError where it does not end well."""
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_PATIENCE):
            code = await self._process.wait()
        if code:
            raise RuntimeError(f"the server ended with {code}")

    def hang_up(self) -> None:
        """Has it replace its workers, where it has several."""
        self._process.send_signal(signal.SIGHUP)


@asynccontextmanager
async def node(log: Path, *arguments: str | Path, listener: socket.socket | None = None) -> AsyncIterator[Node]:
    """A server that lasts as long as the block, at most.

    :param log: gets what it writes to standard error, after what is there; no mistake may be in it at the end.
    :param listener: what it serves on, instead of an address.
    """
    command = ["serve", *map(str, arguments)]
    if listener is not None:
        command += ["--fd", str(listener.fileno())]
    inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with log.open("a") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tokenwire",
            *command,
            stdout=PIPE,
            stderr=errors,
            env=inherited,
            pass_fds=() if listener is None else (listener.fileno(),),
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        url = None
        while url is None:
            line = await process.stdout.readline()
            if not line:
                raise RuntimeError(f"it did not start: {_end_of(log)}")
            url = match[1].decode() if (match := _BANNER.search(line)) else None
        yield Node(url, process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if any(mistake in _end_of(log) for mistake in ("Traceback", " ERROR ")):
        raise RuntimeError(f"the server's log holds a mistake:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text()[-4000:]

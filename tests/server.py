"""A running tokenwire: the real command in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_BANNER = re.compile(r"page +(http\S+)")


class Server(NamedTuple):
    """Where it is, and its process."""

    url: str
    process: subprocess.Popen[str]
    log: Path
    """What it wrote to standard error."""


@contextmanager
def served(log: Path, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Runs ``tokenwire serve`` on a free port until the block is left."""
    command = [sys.executable, "-m", "tokenwire", "serve", "--port", "0", *map(str, arguments)]
    # a developer's own proxy is not asked for what is on this machine
    inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**inherited, **(env or {})}
        )
    assert process.stdout is not None
    with process.stdout:
        try:
            url = next((match[1] for line in process.stdout if (match := _BANNER.search(line))), None)
            assert url is not None, f"it did not start: {log.read_text()}"
            yield Server(url, process, log)
        finally:
            process.send_signal(signal.SIGINT)  # SIGTERM would wait for the answers that a test has left unfinished
            process.wait(15)

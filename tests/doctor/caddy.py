"""Caddy in front of a server."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..deploy.nginx import free_port

AVAILABLE = shutil.which("caddy")


@contextmanager
def caddy(folder: Path, site: str) -> Iterator[str]:
    """The URL of a Caddy with these lines for its site."""
    assert AVAILABLE is not None
    port = free_port()
    file, log = folder / "Caddyfile", folder / "caddy.log"
    file.write_text(f"{{\nadmin off\nauto_https off\n}}\nhttp://127.0.0.1:{port} {{\n{site}\n}}\n")
    own = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with log.open("w") as errors:
        process = subprocess.Popen([AVAILABLE, "run", "--config", file], stdout=errors, stderr=errors, env=own)
    try:
        deadline = time.monotonic() + 10
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"Caddy does not listen: {log.read_text()}")
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

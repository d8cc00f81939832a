"""Caddy in front of a server."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..deploy.listening import free_port, listening

AVAILABLE = shutil.which("caddy")


@contextmanager
def caddy(folder: Path, site: str) -> Iterator[str]:
    """The URL of a Caddy with these lines for its site."""
    assert AVAILABLE is not None
    port = free_port()
    file, log = folder / "Caddyfile", folder / "caddy.log"
    file.write_text(f"{{\nadmin off\nauto_https off\n}}\nhttp://127.0.0.1:{port} {{\n{site}\n}}\n")
    own = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with listening((AVAILABLE, "run", "--config", file), port, log, own) as url:
        yield url

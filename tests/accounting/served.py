"""Servers with limits, on each kind of store."""

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from tokenwire.testing import ThreadedUpstream

from ..conftest import Serve
from ..over_http.client import PATIENCE, get
from ..server import Server

CONFIG = """
[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-of-small"
key_env = ""
price = { input = 1.0, output = 10.0 }

[runs]
lease_seconds = 1
store_seconds = 1

[disconnect]
tanstack = "cancel"

[accounting]
ledger = true
step_tokens = 4
"""


class Limited(NamedTuple):
    """Starts servers that share a store, and says what was used in it."""

    serve: Serve
    store: str
    upstream: ThreadedUpstream

    def start(self, tables: str = "") -> Server:
        """One more server."""
        return self.serve(CONFIG + tables, "--store", self.store)


def usage(server: Server, query: str = "by=day") -> Any:
    """What the server says of what was used."""
    answer = get(server.url, f"/usage?{query}")
    assert answer.status == 200, answer.read()
    return json.loads(answer.read())


def total(server: Server, runs: int) -> Any:
    """The same, added up, once there are so many rows."""
    give_up = time.monotonic() + PATIENCE
    while (told := usage(server)["total"])["runs"] < runs:
        assert time.monotonic() < give_up, told
        time.sleep(0.02)
    assert told["runs"] == runs
    return told


def config_of(server: Server) -> Path:
    """The file that a server was started with."""
    arguments = server.process.args
    assert isinstance(arguments, list)
    return Path(str(arguments[arguments.index("--config") + 1]))

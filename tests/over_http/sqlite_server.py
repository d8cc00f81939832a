"""A server whose runs are kept in an SQLite file, as often as a test wants one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tokenwire.testing import ThreadedUpstream

from ..server import Server, served

CONFIG = """
[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-of-small"
key_env = ""

[runs]
heartbeat_seconds = {heartbeat_seconds}
drain_seconds = 0
lease_seconds = {lease_seconds}
store_seconds = {store_seconds}
"""


@contextmanager
def sqlite_server(
    file: Path,
    upstream: ThreadedUpstream,
    *,
    lease_seconds: float = 1,
    store_seconds: float = 10,
    heartbeat_seconds: float = 15,
) -> Iterator[Server]:
    """A server on this file, until the block is left. Its log holds no traceback."""
    number = sum(1 for _ in file.parent.glob("*.toml"))
    config = file.parent / f"{number}.toml"
    config.write_text(
        CONFIG.format(
            upstream=upstream.base_url,
            lease_seconds=lease_seconds,
            store_seconds=store_seconds,
            heartbeat_seconds=heartbeat_seconds,
        )
    )
    log = file.parent / f"{number}.log"
    with served(log, "--config", config, "--store", f"sqlite:///{file}", "--log-level", "info") as server:
        yield server
    assert "Traceback" not in log.read_text(), log.read_text()

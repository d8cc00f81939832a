"""One server for all tests here, and the description that it gives of itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tokenwire.testing import ScriptedUpstream, ThreadedUpstream

from ..over_http.client import get
from ..server import Server, served

CANARY = "sk-canary-of-the-description"
CONFIG = """
model = "secret-model"

[models.secret-model]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-of-secret-model"
key_env = "CANARY"
retries = 0

[personas.secret-persona]
system = "You tell nobody."

[auth]
anonymous = true

[accounting]
ledger = true

[metrics]
token_env = "CANARY"

[runs]
breaker_seconds = 0
heartbeat_seconds = 0.2
"""


@pytest.fixture(scope="package")
def upstream() -> Iterator[ThreadedUpstream]:
    with ScriptedUpstream.in_thread() as upstream:
        yield upstream


@pytest.fixture(scope="package")
def server(upstream: ThreadedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its log holds no traceback in the end."""
    folder: Path = tmp_path_factory.mktemp("openapi")
    config = folder / "tokenwire.toml"
    config.write_text(CONFIG.format(upstream=upstream.base_url))
    with served(folder / "log", "--config", config, env={"CANARY": CANARY}) as server:
        yield server
    assert "Traceback" not in server.log.read_text(), server.log.read_text()


@pytest.fixture(scope="package")
def document(server: Server) -> Any:
    return get(server.url, "/openapi.json").json

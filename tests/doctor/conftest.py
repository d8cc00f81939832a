"""A server to be examined, and nginx before it, as operators write it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tokenwire.doctor.deployment import examine
from tokenwire.doctor.exchange import Deployment
from tokenwire.doctor.finding import Finding

from ..deploy.nginx import AVAILABLE, nginx
from ..server import Server, served

CONFIG = """
[models.small]
provider = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
model = "nobody"
max_tokens = 100

[auth]
anonymous = true

[cors]
origins = ["https://app.example"]

[runs]
heartbeat_seconds = 1.5
"""

Proxied = Callable[[str], str]
"""Starts an nginx with these lines for its location, and gives its URL."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("doctor")
    config = folder / "tokenwire.toml"
    config.write_text(CONFIG)
    with served(folder / "log", "--config", config) as server:
        yield server


@pytest.fixture
def proxied(server: Server, tmp_path: Path) -> Iterator[Proxied]:
    if AVAILABLE is None:
        pytest.skip("there is no nginx here")
    with ExitStack() as stack:

        def start(location: str) -> str:
            folder = tmp_path / f"nginx-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            return stack.enter_context(nginx(folder, [urlsplit(server.url).netloc], ("", location)))

        yield start


def findings(url: str, check: str, *, origin: str | None = None, slow: bool = False) -> list[Finding]:
    """What one check finds at a URL."""
    found = list(examine(Deployment(url), origin=origin, slow=slow))
    assert all(finding.todo for finding in found if finding.matters)
    return [finding for finding in found if finding.check == check]


def levels(url: str, check: str, *, origin: str | None = None, slow: bool = False) -> list[str]:
    """How much of that matters."""
    return [finding.level for finding in findings(url, check, origin=origin, slow=slow)]

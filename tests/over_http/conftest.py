"""Servers that all tests here share, each for a kind of question, and one model behind all of them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from tokenwire.testing import ScriptedUpstream, ThreadedUpstream

from ..server import Server, served

CANARY = "sk-canary-4f1d9c0a7be25d83-36bb1a"

MODEL = """
[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-of-small"
key_env = "CANARY"
retries = 0
"""

PATIENT = "breaker_seconds = 0"
"""With a model that fails in one test after the other."""

ORDINARY = f"""
model = "small"
{MODEL}
[models.nowhere]
provider = "openai-compatible"
base_url = "{{nowhere}}"
model = "upstream-of-nowhere"
retries = 0

[personas.support-agent]
system = "You help people."

[cors]
origins = ["https://app.example"]

[runs]
{PATIENT}
"""

BRISK = f"""
{MODEL}
[runs]
{PATIENT}
heartbeat_seconds = 0.1
keep_seconds = 1.5

[limits]
runs = 2
run_bytes = 100_000

[disconnect]
rais = "cancel"
tanstack = "grace(1)"
tanstack_legacy = "continue"
"""

STRICT = f"""
{MODEL}
[runs]
{PATIENT}
silence_seconds = 0.4

[limits]
body_bytes = 20_000
body_seconds = 0.4
messages = 5

[policy]
refused = "reject"
"""


class Start(Protocol):
    """Starts a server that lasts as long as the tests do."""

    def __call__(self, name: str, config: str | None, *arguments: str) -> Server: ...


@pytest.fixture(scope="session")
def nowhere() -> Iterator[str]:
    """The base URL of a model that nobody is."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}/v1"


@pytest.fixture
def upstream(address: str) -> Iterator[ThreadedUpstream]:
    """The model, of this test alone: what another test asked and what is still to be said to it ends with that."""
    with ScriptedUpstream.in_thread(int(address.rpartition(":")[2])) as upstream:
        yield upstream


@pytest.fixture(scope="session")
def servers() -> list[Server]:
    """Every server that runs."""
    return []


@pytest.fixture(scope="session")
def start(
    address: str, nowhere: str, servers: list[Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(name: str, config: str | None, *arguments: str) -> Server:
            folder = tmp_path_factory.mktemp(name)
            base_url = f"http://{address}/v1"
            env = {"CANARY": CANARY}
            if config is None:
                env |= {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": CANARY}
            else:
                file = folder / "tokenwire.toml"
                file.write_text(config.format(upstream=base_url, nowhere=nowhere))
                arguments = ("--config", str(file), *arguments)
            server = stack.enter_context(served(folder / "log", *arguments, "--log-level", "debug", env=env))
            servers.append(server)
            return server

        yield start


@pytest.fixture(scope="session")
def ordinary(start: Start) -> str:
    """The URL of a server with the limits and times that are its own."""
    return start("ordinary", ORDINARY).url


@pytest.fixture(scope="session")
def brisk(start: Start) -> str:
    """The URL of a server whose heartbeats, memory and patience with readers who leave are short."""
    return start("brisk", BRISK).url


@pytest.fixture(scope="session")
def strict(start: Start) -> str:
    """The URL of a server that puts up with little."""
    return start("strict", STRICT).url


@pytest.fixture(scope="session")
def bare(start: Start) -> str:
    """The URL of a server without a configuration file."""
    return start("bare", None).url


@pytest.fixture(autouse=True)
def _clean_logs(servers: list[Server]) -> Iterator[None]:
    """Nothing that a client or the model does makes a server log a traceback, or any part of its key."""
    before = {server.log: server.log.stat().st_size for server in servers}
    yield
    for server in servers:
        logged = server.log.read_bytes()[before.get(server.log, 0) :]
        assert b"Traceback" not in logged, logged.decode()
        assert CANARY[:14].encode() not in logged, logged.decode()

"""What every test may ask for: a scripted model, and a server that asks it."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from tokenwire.testing import ScriptedUpstream, ThreadedUpstream

from .server import Server, served

# how long an example takes says nothing on a busy machine; how many there are is what every run has time for
settings.register_profile("patient", deadline=None, max_examples=50)
settings.load_profile("patient")

Serve = Callable[..., Server]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The address of a model, held although nobody may be listening at it."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{holder.getsockname()[1]}"


@pytest.fixture
def upstream() -> Iterator[ThreadedUpstream]:
    with ScriptedUpstream.in_thread() as upstream:
        yield upstream


@pytest.fixture
def serve(upstream: ThreadedUpstream, tmp_path: Path) -> Iterator[Serve]:
    """``serve(config=None, *arguments, **env)`` starts a server whose model is ``upstream``.

    In a configuration ``{upstream}`` stands for the model's base URL. Without one the environment names it.
    """
    with ExitStack() as stack:
        count = 0

        def start(config: str | None = None, *arguments: str, **env: str) -> Server:
            nonlocal count
            count += 1
            if config is not None:
                file = tmp_path / f"tokenwire-{count}.toml"
                file.write_text(config.replace("{upstream}", upstream.base_url))
                arguments = ("--config", str(file), *arguments)
            env = {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": "sk-test", **env}
            return stack.enter_context(served(tmp_path / f"server-{count}.log", *arguments, env=env))

        yield start

"""The real clients and the servers they talk to, each started once for all tests of this directory."""

from collections.abc import Iterator
from typing import get_args

import pytest

from .browser import Browser, Page
from .client import Client, Framing, Generation
from .model import Model
from .node import Node, install
from .shared import SharedServer

each_client = [(generation, framing) for generation in get_args(Generation) for framing in get_args(Framing)]


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    """The server of the tests without a browser."""
    with SharedServer(tmp_path_factory.mktemp("interop"), origin="https://app.example", grace=1) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The real hooks in a browser."""
    install()
    with Browser("browser.mjs") as browser:
        yield browser


@pytest.fixture(scope="session")
def browser_server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    """A server that allows the origin of the site with the hooks, and no other."""
    # a page takes its time to load again
    with SharedServer(tmp_path_factory.mktemp("interop"), origin=browser.origin, grace=4) as server:
        yield server


@pytest.fixture
def server(request: pytest.FixtureRequest) -> SharedServer:
    """The server of this test."""
    server: SharedServer = request.getfixturevalue(
        "browser_server" if "browser" in request.fixturenames else "shared_server"
    )
    return server


@pytest.fixture
def model(server: SharedServer) -> Iterator[Model]:
    """The model behind the server, with nothing asked yet; every answer that is queued must be asked for."""
    model = Model(server.upstream)
    yield model
    if model.unheard:
        server.restart()
        pytest.fail(f"{model.unheard} queued answers were not asked for")


@pytest.fixture(scope="session")
def clients() -> Iterator[Node]:
    """The real clients, in one process."""
    install()
    with Node("clients.mjs") as node:
        yield node


@pytest.fixture(params=each_client, ids="-".join)
def client(request: pytest.FixtureRequest, clients: Node, server: SharedServer) -> Client:
    """Each generation in each framing."""
    generation, framing = request.param
    return Client(clients, server.url, generation, framing)


@pytest.fixture(params=get_args(Framing))
def resuming(request: pytest.FixtureRequest, clients: Node, server: SharedServer) -> Client:
    """The generation that resumes, in each framing."""
    return Client(clients, server.url, "new", request.param)


@pytest.fixture
def socket(clients: Node, server: SharedServer) -> Client:
    """The generation that knows it, over WebSocket."""
    return Client(clients, server.url, "new", "websocket")


@pytest.fixture(params=get_args(Generation))
def handwritten_socket(request: pytest.FixtureRequest, clients: Node, server: SharedServer) -> Client:
    """Each generation, for a WebSocket adapter of the application's own."""
    return Client(clients, server.url, request.param, "websocket")


@pytest.fixture(params=get_args(Generation))
def sse(request: pytest.FixtureRequest, clients: Node, server: SharedServer) -> Client:
    """Each generation, over SSE."""
    return Client(clients, server.url, request.param, "sse")


@pytest.fixture(params=get_args(Generation))
def ndjson(request: pytest.FixtureRequest, clients: Node, server: SharedServer) -> Client:
    """Each generation, over NDJSON."""
    return Client(clients, server.url, request.param, "ndjson")


@pytest.fixture(params=each_client, ids="-".join)
def page(request: pytest.FixtureRequest, browser: Browser, server: SharedServer) -> Page:
    """The hook of each generation in each framing."""
    generation, framing = request.param
    return Page(browser, server.url, generation, framing)


@pytest.fixture(params=get_args(Framing))
def resuming_page(request: pytest.FixtureRequest, browser: Browser, server: SharedServer) -> Page:
    """The hook that resumes, in each framing."""
    return Page(browser, server.url, "new", request.param)

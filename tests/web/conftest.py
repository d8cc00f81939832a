"""A browser for the tests of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..conftest import Serve
from ..server import Server, served
from .browser import Browser, Page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.open()
    yield page
    page.close()


@pytest.fixture
def server(serve: Serve) -> Server:
    """A server whose one model is ``upstream``."""
    return serve()


@pytest.fixture(scope="session")
def modules(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page to try single modules of the page on; no model is asked."""
    log = tmp_path_factory.mktemp("modules") / "server.log"
    with served(log, env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": "sk-test"}) as server:
        page = browser.open()
        page.goto(server.url)
        yield page
        page.close()

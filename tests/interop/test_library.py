"""The applications that the documentation shows, with the real hooks in front of them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..library.hosts import serving
from .browser import Browser, Page
from .client import Client
from .conftest import each_client
from .node import Node

ROOT = Path(__file__).parents[2]


@contextmanager
def documented(page: str, section: str, origin: str = "") -> Iterator[str]:
    """The first program of a section, served; gives its address."""
    text = (ROOT / page).read_text().partition(f"\n{section}\n")[2]
    program = re.search(r"^```python\n(.*?)^```$", text, re.M | re.S)
    assert program is not None
    names: dict[str, Any] = {}
    exec(program[1].replace("http://localhost:5173", origin), names)  # noqa: S102
    with serving(names["app"]) as host:
        yield host.url


@pytest.fixture(scope="module")
def mounted() -> Iterator[str]:
    with documented("README.md", "## In your own application") as url:
        yield url + "/ai"


@pytest.fixture(scope="module")
def site(browser: Browser) -> str:
    """Where the pages with the hooks are."""
    return browser.origin


@pytest.fixture(scope="module")
def single_route(site: str) -> Iterator[str]:
    with documented("docs/library.md", "## One route of yours", site) as url:
        yield url


@pytest.mark.parametrize(("generation", "framing"), each_client)
@pytest.mark.usefixtures("site")
def test_react_talks_to_the_agent_of_the_readme(browser: Browser, mounted: str, generation: Any, framing: Any) -> None:
    seen = Page(browser, mounted, generation, framing).visit(
        ["send", "Hello"],
        ["untilText", "You asked: Hello"],
        ["untilStatus", "ready"],
        ["send", "Bye"],
        ["untilText", "You asked: Bye"],
        ["untilStatus", "ready"],
    )
    assert [(message["role"], message["text"]) for message in seen.messages] == [
        ("user", "Hello"),
        ("assistant", "You asked: Hello"),
        ("user", "Bye"),
        ("assistant", "You asked: Bye"),
    ]
    assert (seen.error, seen.crashes) == (None, [])


@pytest.mark.parametrize("generation", ["legacy", "new"])
def test_react_talks_to_a_single_route(browser: Browser, single_route: str, generation: Any) -> None:
    seen = Page(browser, single_route, generation, "sse").visit(
        ["send", "Hello"], ["untilText", "You asked: Hello"], ["untilStatus", "ready"]
    )
    assert [message["text"] for message in seen.messages] == ["Hello", "You asked: Hello"]
    assert (seen.error, seen.crashes) == (None, [])


def test_react_resumes_on_a_single_route(browser: Browser, single_route: str) -> None:
    seen = Page(browser, single_route, "new", "sse").visit(
        ["send", "Hello"],
        ["untilText", "You asked: Hello"],
        ["untilStatus", "ready"],
        cuts=[{"after": 2, "how": "error"}, {"after": 1, "how": "error"}],
    )
    assert seen.messages[-1]["text"] == "You asked: Hello"
    assert seen.methods.count("POST") == 3


def test_each_client_talks_to_the_agent_of_the_readme(clients: Node, mounted: str) -> None:
    for generation, framing in each_client:
        outcome = Client(clients, mounted, generation, framing).play(["start", "Hello"], ["settle"])
        assert (outcome.answer, outcome.status, outcome.error) == ("You asked: Hello", "ready", None)

"""Pages with the real hooks, in headless Chromium."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .client import Framing, Generation, Json, Step
from .node import Node, Playing


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a person saw at the end (``messages`` to ``error``), and what the browser's network did."""

    messages: list[Json]
    """``role``, ``text`` and ``thinking`` of each."""
    status: str
    error: str | None
    storage: dict[str, str]
    crashes: list[str]
    """Errors that no code caught."""
    requests: list[Json]
    """Preflights included."""

    @property
    def methods(self) -> list[str]:
        """The methods of the requests, in their order."""
        return [request["method"] for request in self.requests]


def read_seen(result: Json) -> Seen:
    """What :file:`browser.mjs` says of a visit."""
    return Seen(**result)


class Browser(Node):
    """Chromium, and the site with both pages."""

    @cached_property
    def origin(self) -> str:
        """Where the site is: the first thing the program says."""
        return str(self.read()["origin"])


@dataclass(frozen=True)
class Page:
    """The page of a generation, its hook pointed at a server in one framing."""

    browser: Browser
    base: str
    generation: Generation
    framing: Framing

    @property
    def origin(self) -> str:
        """Of the page."""
        return self.browser.origin

    def begin(self, *steps: Step, **more: Any) -> Playing[Seen]:
        """Opens the page in a profile of its own and starts the steps; ``more`` is for the page to read."""
        url = self.base + {"sse": "/api/chat", "ndjson": "/api/chat/ndjson"}[self.framing]
        own = {"generation": self.generation, "framing": self.framing, "url": url}
        return self.browser.begin({**own, **more, "steps": list(steps)}, read_seen)

    def visit(self, *steps: Step, **more: Any) -> Seen:
        """The same to the end of the steps."""
        return self.begin(*steps, **more).result()

"""From where browsers may ask, and by which name."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from ..config import Config
from .finding import Finding, note, ok, warning
from .network import in_the_clear, is_this_machine

CHECK = "origins"


def check(config: Config) -> Iterator[Finding]:
    """Origins that anybody can be, and names that are missing."""
    found = list(_of(config.origins or (), config.auth.configured))
    if not config.server.hosts and config.origins is not None:
        found.append(
            note(
                CHECK,
                "server.hosts is not set",
                "[server]",
                'hosts = ["chat.example"]   # as it is written in the browser',
                why="Behind a proxy on this machine, the page of a name that is not listed cannot ask.",
            )
        )
    seen = "any page on this machine" if config.origins is None else f"{len(config.origins)} origins, exactly"
    yield from found or [ok(CHECK, seen)]


def _of(origins: tuple[str, ...], public: bool) -> Iterator[Finding]:
    for origin in origins:
        if in_the_clear(origin):
            yield warning(
                CHECK,
                f"cors.origins has {origin}",
                f"use {origin.replace('http:', 'https:', 1)}",
                why="Everybody on the way can put a page there, and it may ask in its visitor's name.",
            )
        elif public and is_this_machine(urlsplit(origin).hostname):
            yield note(
                CHECK,
                f"cors.origins has {origin}: good for development",
                why="Whatever runs at that port of a visitor's machine may ask in their name.",
            )

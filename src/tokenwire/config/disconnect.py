"""What follows when the last reader of a run leaves."""

import functools
import re

import msgspec

from ..errors import ConfigError
from .table import Table

CHAT_ROUTES = ("/api/chat", "/api/chat/ndjson", "/api/chat/rais", "/api/chat/tanstack", "/api/chat/ws")
"""Where questions are asked."""


class Disconnect(Table, frozen=True):
    """``[disconnect]``: what follows when the last reader of a run leaves, by wire, or by the address it was asked at.

    ``"continue"``, ``"cancel"``, or ``"grace(SECONDS)"``. Clients that come back by themselves get longer.
    """

    rais: str = "grace(1)"
    tanstack: str = "grace(30)"
    tanstack_legacy: str = "grace(1)"
    routes: dict[str, str] = msgspec.field(default_factory=dict)
    """By path (``"/api/chat/ws"``); it wins over the wire's."""

    def grace(self, wire: str, route: str) -> float | None:
        """Seconds that a run without readers goes on; ``None`` for as long as it takes."""
        return _grace(self.routes.get(route) or getattr(self, wire.replace("-", "_")))

    def check(self) -> None:
        """Raises :class:`ConfigError` for a policy that is none, or of an address where nothing is asked."""
        for route in self.routes:
            if route not in CHAT_ROUTES:
                raise ConfigError(f'disconnect.routes."{route}": is not one of {", ".join(CHAT_ROUTES)}')
        wires = {name: getattr(self, name) for name in self.__struct_fields__ if name != "routes"}
        for place, policy in (*wires.items(), *((f'routes."{route}"', text) for route, text in self.routes.items())):
            try:
                _grace(policy)
            except ValueError:
                raise ConfigError(
                    f'disconnect.{place}: {policy!r} is not "continue", "cancel" or "grace(SECONDS)"'
                ) from None


@functools.cache
def _grace(policy: str) -> float | None:
    if policy == "continue":
        return None
    if policy == "cancel":
        return 0.0
    match = re.fullmatch(r"grace\((\d+(?:\.\d+)?)\)", policy)
    if match is None:
        raise ValueError(policy)
    return float(match[1])

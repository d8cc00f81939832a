"""The names that a server may be asked by.

Anybody can make a name of theirs lead to this machine. A browser then takes their page for one of this server, and
lets it read every answer (DNS rebinding). An address cannot be made to, nor can ``localhost``.
"""

import re
from collections.abc import Awaitable, Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

_ADDRESS = re.compile(r"(localhost|[0-9.]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class Hosts:
    """Which ``Host`` is believed.

    :param names: those of the operator; addresses and ``localhost`` need not be named.
    :param any_name: without names, every name is believed.
    """

    def __init__(self, names: Iterable[str] = (), *, any_name: bool = False) -> None:
        self._names = frozenset(map(_plain, names))
        self._any_name = any_name and not self._names

    def believe(self, host: str) -> bool:
        """Whether a page that was opened at this host is ours."""
        return bool(_ADDRESS.fullmatch(host)) or (self._any_name and bool(host)) or _plain(host) in self._names

    def admit(self, host: str) -> bool:
        """Whether to answer who asks by this host and may not be a page at all.

        Without names, one without a dot will do: it is a proxy's word for us, and nobody outside can have it.
        """
        return not host or self.believe(host) or (not self._names and "." not in _plain(host))


class HostGate:
    """Refuses whoever asks by a name that is not this server's."""

    def __init__(self, app: ASGIApp, hosts: Hosts, refusal: ASGIApp) -> None:
        self._app = app
        self._hosts = hosts
        self._refusal = refusal

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """ASGI."""
        for name, host in scope.get("headers", ()):
            if name == b"host" and not self._hosts.admit(host.decode("latin-1")):
                return self._refusal(scope, receive, send)
        return self._app(scope, receive, send)


def is_host_name(text: str) -> bool:
    """Whether it is a host's name, without a port."""
    return bool(_NAME.fullmatch(text))


def _plain(host: str) -> str:
    """The name alone, as it is compared."""
    return host.partition(":")[0].rstrip(".").lower()

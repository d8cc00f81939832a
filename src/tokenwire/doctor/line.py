"""The line to a deployment: whether it is private, and how many streams a browser gets over it."""

import socket
import ssl
import time
from collections.abc import Iterator

from .exchange import Deployment, Unreachable, reason
from .finding import Finding, note, ok, warning
from .network import is_this_machine

CHECK = "line"

_SECONDS = 10.0
_DAY = 86_400
_SOON_DAYS = 14
_HTTP2_LINES = (
    "nginx:  listen 443 ssl; http2 on;   # before 1.25.1: listen 443 ssl http2;",
    "Caddy:  does it by itself",
)


def check(deployment: Deployment) -> Iterator[Finding]:
    """TLS, the age of its certificate, and HTTP/2. Raises :class:`Unreachable`."""
    if not deployment.secure:
        if is_this_machine(deployment.host):
            yield note(CHECK, "plain HTTP, on this machine", why=_SIX)
            return
        yield warning(
            CHECK,
            "plain HTTP",
            "Caddy:  reverse_proxy 127.0.0.1:8000   # in the block of chat.example: gets a certificate by itself",
            *_HTTP2_LINES[:1],
            why="Everybody on the way can read keys and conversations. " + _SIX,
        )
        return
    protocol, days = _handshake(deployment)
    if days < _SOON_DAYS:
        yield warning(
            CHECK,
            f"the certificate ends in {days:.0f} days",
            "look whether it is renewed by itself",
            why="Then no browser asks any more.",
        )
    if protocol == "h2":
        yield ok(CHECK, "HTTPS, HTTP/2")
    else:
        yield warning(CHECK, "HTTPS, but HTTP/1.1 only", *_HTTP2_LINES, why=_SIX)


def _handshake(deployment: Deployment) -> tuple[str | None, float]:
    """The protocol a browser would get, and how many days the certificate is good for."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with (
            socket.create_connection((deployment.host, deployment.port), _SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=deployment.host) as secured,
        ):
            certificate = secured.getpeercert() or {}
            ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
            return secured.selected_alpn_protocol(), (ends - time.time()) / _DAY
    except (OSError, KeyError) as error:
        raise Unreachable(reason(error)) from None


_SIX = (
    "Over HTTP/1.1 a browser opens six connections to a host, for all tabs together, and each answer under way "
    "takes one: the seventh waits. Over HTTP/2, or a WebSocket, there is no such bound."
)

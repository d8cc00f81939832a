"""The origins a browser may ask from (docs/wires/tanstack.md 1.1).

CORS keeps a foreign page from reading an answer, not from causing it, and from a WebSocket it keeps nobody: a request
whose origin is not allowed is refused before it costs anything.
"""

import re
from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from .answer_headers import SECURITY_HEADERS, with_headers
from .host import Hosts

# in small letters, without a user or a path; without the port that goes without saying
_ORIGIN = re.compile(
    r"(?!http:.*:80$|https:.*:443$)https?://([a-z0-9_-][a-z0-9._-]*|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?"
)
_THIS_MACHINE = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"
_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]+")

_VARY = (b"vary", b"Origin")
_EXPOSED = b"X-Run-Id, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id"
_METHODS = b"GET, POST"
_PREFLIGHT_SECONDS = b"600"


class Origins:
    """Where a browser may ask from.

    :param exact: the allowed origins; ``None`` allows every origin on this machine, for front ends in development.
        The server's own page may always ask.
    :param hosts: by which names the server has pages of its own; by default any, but ``None`` origins need an address.
    """

    def __init__(self, exact: tuple[str, ...] | None, hosts: Hosts | None = None) -> None:
        self._exact = frozenset(exact or ())
        self._pattern = re.compile(_THIS_MACHINE) if exact is None else None
        self._hosts = hosts or Hosts(any_name=exact is not None)

    def allow(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may ask the server that it knows as ``host``."""
        return self.own(origin, host) or self.listed(origin)

    def own(self, origin: str, host: str) -> bool:
        """Whether the page is ours."""
        return origin.partition("://")[2] == host and self._hosts.believe(host)

    def listed(self, origin: str) -> bool:
        """Whether a page of this origin may ask from elsewhere."""
        return origin in self._exact or (self._pattern is not None and bool(self._pattern.fullmatch(origin)))


class OriginGate:
    """Wraps the whole application, errors included, in CORS with exact origins, and in headers for browsers.

    :param refusal: what answers a request from anywhere else.
    """

    def __init__(self, app: ASGIApp, origins: Origins, refusal: ASGIApp) -> None:
        self._app = app
        self._origins = origins
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        origin, host = headers.get(b"origin"), headers.get(b"host", b"").decode("latin-1")
        app = self._app
        added = [*SECURITY_HEADERS, _VARY]
        if origin is not None and not self._origins.own(origin.decode("latin-1"), host):
            if self._origins.listed(origin.decode("latin-1")):
                added += [
                    (b"access-control-allow-origin", origin),
                    (b"access-control-allow-credentials", b"true"),
                    (b"access-control-expose-headers", _EXPOSED),
                ]
                if scope.get("method") == "OPTIONS" and b"access-control-request-method" in headers:
                    app = _Preflight(headers)
            else:
                app = self._refusal
        await app(scope, receive, with_headers(send, added))


def is_origin(text: str) -> bool:
    """Whether it is an origin as a browser names it, and not an address or a pattern."""
    return bool(_ORIGIN.fullmatch(text))


class _Preflight:
    """Answers a browser that asks whether a page may ask."""

    def __init__(self, headers: Mapping[bytes, bytes]) -> None:
        asked = headers.get(b"access-control-request-headers", b"")
        self._headers = [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
            (b"content-length", b"0"),
        ]
        # an allowed origin may send any header: the hooks' own (X-Run-Id, x-byok-…) and what the application adds
        if _NAMES.fullmatch(asked):
            self._headers.append((b"access-control-allow-headers", asked))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": b""})

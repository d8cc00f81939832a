"""The origins a browser may ask from (docs/wires/tanstack.md 1.1).

CORS keeps a foreign page from reading an answer, not from causing it, and from a WebSocket it keeps nobody: a request
whose origin is not allowed is refused before it costs anything.
"""

import re

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_ADDRESS = re.compile(r"(localhost|[0-9.]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?")
_THIS_MACHINE = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?"


class Origins:
    """Where a browser may ask from.

    :param exact: the allowed origins; ``None`` allows every origin on this machine, for front ends in development.
        The server's own page may always ask.
    """

    def __init__(self, exact: tuple[str, ...] | None) -> None:
        self._exact = frozenset(exact or ())
        self._pattern = re.compile(_THIS_MACHINE) if exact is None else None

    def allow(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may ask the server that it knows as ``host``."""
        return self.own(origin, host) or self.listed(origin)

    def own(self, origin: str, host: str) -> bool:
        """Whether the page is ours.

        Without exact origins a host's name does not count: anybody's name can be made to lead here, and its page
        would then be taken for ours (DNS rebinding). An address cannot.
        """
        if not host or origin.partition("://")[2] != host:
            return False
        return self._pattern is None or bool(_ADDRESS.fullmatch(host))

    def listed(self, origin: str) -> bool:
        """Whether a page of this origin may ask from elsewhere."""
        return origin in self._exact or (self._pattern is not None and bool(self._pattern.fullmatch(origin)))


class OriginGate:
    """Wraps the whole application, errors included, in CORS with exact origins.

    :param origins: as of :class:`Origins`.
    :param refusal: what answers a request from anywhere else.
    """

    def __init__(self, app: ASGIApp, origins: tuple[str, ...] | None, refusal: ASGIApp) -> None:
        self._app = app
        self._refusal = refusal
        self._cors = CORSMiddleware(
            app,
            allow_origins=origins or (),
            allow_origin_regex=_THIS_MACHINE if origins is None else None,
            allow_methods=("GET", "POST", "OPTIONS"),
            # an allowed origin may send any header: the hooks' own (X-Run-Id, x-byok-…) and what the application adds
            allow_headers=("*",),
            allow_credentials=True,
            expose_headers=("X-Run-Id", "Retry-After"),
        )
        self._origins = Origins(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        headers = dict(scope["headers"]) if scope["type"] in ("http", "websocket") else {}
        origin, host = headers.get(b"origin"), headers.get(b"host", b"").decode("latin-1")
        if origin is None or self._origins.own(origin.decode("latin-1"), host):
            await self._app(scope, receive, send)
        elif self._origins.listed(origin.decode("latin-1")):
            await self._cors(scope, receive, send)
        else:
            await self._refusal(scope, receive, send)

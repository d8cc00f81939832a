"""The origins a browser may ask from (docs/wires/tanstack.md 1.1).

CORS keeps a foreign page from reading an answer, not from causing it, and from a WebSocket it keeps nobody: a request
whose origin is not allowed is refused before it costs anything.
"""

import re

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_ADDRESS = re.compile(rb"(localhost|[0-9.]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?")
_THIS_MACHINE = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?"


class OriginGate:
    """Wraps the whole application, errors included, in CORS with exact origins.

    :param origins: the allowed origins; ``None`` allows every origin on this machine, for front ends in development.
        The server's own page may always ask.
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
        self._exact = frozenset(origins or ())
        self._pattern = re.compile(_THIS_MACHINE) if origins is None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        headers = dict(scope["headers"]) if scope["type"] in ("http", "websocket") else {}
        origin = headers.get(b"origin")
        if origin is None or self._is_own(origin, headers.get(b"host", b"")):
            await self._app(scope, receive, send)
        elif self._allows(origin.decode("latin-1")):
            await self._cors(scope, receive, send)
        else:
            await self._refusal(scope, receive, send)

    def _is_own(self, origin: bytes, host: bytes) -> bool:
        """Whether the page is ours.

        Without exact origins a host's name does not count: anybody's name can be made to lead here, and its page
        would then be taken for ours (DNS rebinding). An address cannot.
        """
        if origin.partition(b"://")[2] != host:
            return False
        return self._pattern is None or bool(_ADDRESS.fullmatch(host))

    def _allows(self, origin: str) -> bool:
        return origin in self._exact or (self._pattern is not None and bool(self._pattern.fullmatch(origin)))

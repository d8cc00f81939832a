"""Whether a WebSocket gets through."""

import base64
import secrets
from collections.abc import Iterator
from http.client import HTTPException

from .exchange import Deployment, Unreachable, reason
from .finding import Finding, ok, warning

CHECK = "websocket"

_PATH = "/api/chat/ws"
_OPENED, _REFUSED = 101, (401, 403)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Raises :class:`Unreachable`."""
    status = _open(deployment)
    if status == _OPENED:
        yield ok(CHECK, "it opens")
    elif status in _REFUSED:
        yield ok(CHECK, f"it arrives, and is refused ({status}): it wants to know who asks")
    else:
        yield warning(
            CHECK,
            f"opening one was answered with {status}",
            "nginx:   proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;",
            '         proxy_set_header Connection "upgrade"; proxy_read_timeout 60s;',
            "Caddy:   does it by itself",
            "Apache:  ProxyPass /api/chat/ws http://127.0.0.1:8000/api/chat/ws upgrade=websocket",
            why="Chats over WebSocket do not work; those over HTTP are not concerned.",
        )


def _open(deployment: Deployment) -> int:
    connection = deployment.connect()
    headers = {
        **deployment.headers,
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": base64.b64encode(secrets.token_bytes(16)).decode(),
    }
    try:
        connection.request("GET", deployment.prefix + _PATH, headers=headers)
        return connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise Unreachable(reason(error)) from None
    finally:
        connection.close()

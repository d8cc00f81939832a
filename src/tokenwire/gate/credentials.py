"""What a connection brings to show who is asking. Nothing of it is judged here."""

import base64
import binascii
from collections.abc import Iterable
from typing import Literal, NamedTuple

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope

from ..errors import Code, Refusal
from ..secret import Secret

MAX_CREDENTIAL = 8192
"""Characters of the longest token that is looked at."""
SUBPROTOCOL = "tokenwire"
"""What a WebSocket is answered with whose client offers it beside :data:`BEARER`."""
BEARER = "tokenwire.bearer."
"""A subprotocol that begins with this ends with a token, in base64url."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Credential(NamedTuple):
    """A token, and where it was."""

    source: Literal["bearer", "scheme", "x-api-key", "subprotocol", "ticket", "cookie"]
    """``scheme`` is any of ``Authorization`` but ``Bearer``."""
    token: Secret


def credential_of(connection: HTTPConnection, cookie: str | None = None) -> Credential | None:
    """The one credential that a connection is judged by, the most deliberate first; ``None`` where it has none.

    What is there and cannot be read never makes way for another.

    :param cookie: the name of the cookie that may hold a token.
    :raises Refusal: ``unauthenticated``: it is malformed, too long, or there more than once.
    """
    if (authorization := _only(connection.headers, "authorization")) is not None:
        scheme, _, token = authorization.strip(" ").partition(" ")
        if not 0 < len(authorization) <= MAX_CREDENTIAL:
            raise Refusal(Code.unauthenticated)
        if scheme.lower() != "bearer":
            return Credential("scheme", Secret(authorization))
        return Credential("bearer", _token(token.strip(" ")))
    if (key := _only(connection.headers, "x-api-key")) is not None:
        return Credential("x-api-key", _token(key.strip(" ")))
    if connection.scope["type"] == "websocket":
        if (offered := _offered_token(connection.scope["subprotocols"])) is not None:
            return Credential("subprotocol", _token(offered))
        if tickets := connection.query_params.getlist("ticket"):
            if len(tickets) > 1:
                raise Refusal(Code.unauthenticated)
            return Credential("ticket", _token(tickets[0]))
    if cookie is not None and (value := _cookie(connection, cookie)) is not None:
        return Credential("cookie", _token(value))
    return None


def chosen_subprotocol(offered: Iterable[str]) -> str | None:
    """Which of the subprotocols to answer with: never one that holds a token.

    A browser that offers any takes the connection for failed where none of them is chosen.
    """
    names = [name for name in offered if not name.startswith(BEARER)]
    return SUBPROTOCOL if SUBPROTOCOL in names else next(iter(names), None)


def with_bearer(scope: Scope, token: str) -> Scope:
    """The same connection as if it had come with this token, and with nothing else."""
    if len(token) > MAX_CREDENTIAL or not token.isascii():
        raise Refusal(Code.unauthenticated)
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name not in (b"authorization", b"x-api-key", b"cookie", b"sec-websocket-protocol")
    ]
    return {**scope, "headers": [*kept, (b"authorization", b"Bearer " + token.encode())], "subprotocols": []}


def changes_state(scope: Scope) -> bool:
    """Whether a request may do something: a browser's page elsewhere must not have caused it.

    The opening of a WebSocket may: every question on it comes after.
    """
    return scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS


def _only(headers: Headers, name: str) -> str | None:
    values = headers.getlist(name)
    if len(values) > 1:
        raise Refusal(Code.unauthenticated)
    return values[0] if values else None


def _cookie(connection: HTTPConnection, name: str) -> str | None:
    """The value of a cookie, which a neighbouring host may have set beside ours: nobody can tell which is which."""
    pairs = [pair for header in connection.headers.getlist("cookie") for pair in header.split(";")]
    if sum(pair.partition("=")[0].strip() == name for pair in pairs) > 1:
        raise Refusal(Code.unauthenticated)
    return connection.cookies.get(name)


def _offered_token(subprotocols: Iterable[str]) -> str | None:
    offered = [name.removeprefix(BEARER) for name in subprotocols if name.startswith(BEARER)]
    if not offered:
        return None
    if len(offered) > 1 or len(offered[0]) > 2 * MAX_CREDENTIAL:
        raise Refusal(Code.unauthenticated)
    try:
        return base64.b64decode(offered[0] + "=" * (-len(offered[0]) % 4), b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise Refusal(Code.unauthenticated) from None


def _token(text: str) -> Secret:
    if not 0 < len(text) <= MAX_CREDENTIAL or not text.isascii() or not text.isprintable() or " " in text:
        raise Refusal(Code.unauthenticated)
    return Secret(text)

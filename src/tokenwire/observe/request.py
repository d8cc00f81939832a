"""One request as the logs know it: its id, and who asks."""

import re
import secrets
from contextvars import ContextVar, Token
from typing import Self
from weakref import WeakKeyDictionary

from starlette.types import ASGIApp, Receive, Scope, Send

from ..gate.answer_headers import with_headers
from ..runs.log import RunInfo

HEADER = b"x-request-id"

# not by context: a model's connection is opened for one request, carries many, and calls back in the first one's
_requests: WeakKeyDictionary[RunInfo, str] = WeakKeyDictionary()
_SANE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


class RequestContext:
    """A request under way, which names itself to everything that is done within: by its own ``x-request-id`` if that is
    sane, else anew.

    ``over`` when it is not under way: callbacks of sockets outlive the request that opened them.
    """

    __slots__ = ("_token", "id", "over", "principal")

    def __init__(self, scope: Scope) -> None:
        self.id = _asked(scope) or f"req-{secrets.token_hex(8)}"
        self.principal = ""
        self.over = False

    def __enter__(self) -> Self:
        self._token: Token[RequestContext | None] = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        _current.reset(self._token)


_current: ContextVar[RequestContext | None] = ContextVar("tokenwire_request", default=None)


def current_request() -> RequestContext | None:
    """The request that the running code answers, if it is known and not over."""
    request = _current.get()
    return None if request is None or request.over else request


def identified(principal: str) -> None:
    """Says who asks in the request that is under way."""
    request = _current.get()
    if request is not None:
        request.principal = principal


def began(run: RunInfo) -> None:
    """Says that the request that is under way begins a run, if nobody has begun it before."""
    request = _current.get()
    if request is not None:
        _requests.setdefault(run, request.id)


def beginning_of(run: RunInfo) -> str:
    """The id of the request that began a run here; empty where that is not known."""
    return _requests.get(run, "")


def id_headers() -> list[tuple[bytes, bytes]]:
    """What an answer says of its request's id."""
    request = current_request()
    return [] if request is None else [(HEADER, request.id.encode())]


def named(app: ASGIApp) -> ASGIApp:
    """The same answer, with its request's id among its headers. Not for streams, of which each send would pay."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, with_headers(send, id_headers()))

    return answer


def _asked(scope: Scope) -> str | None:
    for name, value in scope.get("headers", ()):
        if name == HEADER and _SANE.fullmatch(value):
            return str(value, "ascii")
    return None

"""Who asks: the host application's word for it."""

import inspect
import logging
from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection
from starlette.types import Scope

from ..errors import Code, Failure, Refusal

logger = logging.getLogger("tokenwire.server")

ANONYMOUS = ""
"""The one principal there is where nobody has to say who they are."""

Authenticate = Callable[[HTTPConnection], str | Awaitable[str | None] | None]
"""From a request, or the opening of a WebSocket, to a principal; ``None`` for nobody we know."""


async def identify(authenticate: Authenticate | None, scope: Scope) -> str:
    """The principal of a connection.

    Raises :class:`Refusal` (``unauthenticated``) where there is none or ``authenticate`` raises, but for a
    :class:`Failure`, which is told as it is.
    """
    if authenticate is None:
        return ANONYMOUS
    try:
        principal = authenticate(HTTPConnection(scope))
        if inspect.isawaitable(principal):
            principal = await principal
    except Failure:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever it is, nobody is known
        # not its text: a KeyError's is the very key that was sent
        logger.warning("authenticate raised %s: not authenticated", type(error).__name__)
        raise Refusal(Code.unauthenticated) from None
    if principal is not None and not isinstance(principal, str):
        raise TypeError(f"authenticate gives a principal as a str, not as {type(principal).__name__}")
    if not principal:
        raise Refusal(Code.unauthenticated)
    return principal

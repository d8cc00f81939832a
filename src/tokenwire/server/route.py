"""A backend for routes that have none of their own."""

from functools import cache

from starlette.responses import Response

from .backend import ChatBackend
from .response import AnyRequest, AnySource, FramingName, WireName


async def chat_response(
    request: AnyRequest,
    source: AnySource,
    *,
    principal: str | None = None,
    wire: WireName | None = None,
    framing: FramingName = "sse",
    backend: ChatBackend | None = None,
) -> Response:
    """Answers a route with a chat: ``return await chat_response(request, answer)``.

    The route takes ``POST``, which asks, and ``GET``, which joins a run or takes one up again. ``POST ?cancel=RUN``
    stops a run. A request that asks nothing new never begins the source.

    :param request: of Starlette, FastAPI or Litestar.
    :param source: an async iterator of text or events, or a function that takes an :class:`Ask` and gives one.
    :param principal: who is asking; their runs are nobody else's.
    :param wire: of the client; detected where it is not named.
    :param framing: server-sent events, or newline-delimited JSON.
    :param backend: whose store, limits and policy apply; without one, the defaults, in this process's memory.

    Raises :class:`ValueError` for a wire or a framing that there is not and for a principal without a name, and
    :class:`TypeError` for what is no source: an iterator that is not ``async`` would hold up every other answer.
    """
    return await (backend or _default()).respond(request, source, principal=principal, wire=wire, framing=framing)


@cache
def _default() -> ChatBackend:
    return ChatBackend({}, page=False)

"""One HTTP exchange: the shape of a fetch client, and the one that is used unless another is given.

A fetch client is any function from a :class:`FetchRequest` to an async context manager of a :class:`FetchResponse`,
so that a proxy, an interceptor or a refresh of tokens is a few lines around another one::

    @asynccontextmanager
    async def with_token(request):
        request.headers["Authorization"] = f"Bearer {await token()}"
        async with fetch(request) as response:
            yield response

Leaving the context closes the connection at once, wherever the body is. An ``OSError`` or ``TimeoutError`` of a
client counts as a lost connection.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from ..wire.reading import printable
from .errors import ConnectionLostError, HttpError, ProtocolError

if TYPE_CHECKING:
    import aiohttp

MAX_REDIRECTS = 5
_KEEP_THE_METHOD = {307, 308}
_REDIRECTS = {301, 302, 303, *_KEEP_THE_METHOD}


@dataclass(slots=True)
class FetchRequest:
    """What is to be asked. A fetch client may change it."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None
    connect_seconds: float = 10.0
    """How long a connection may take to be made."""


@dataclass(slots=True)
class FetchResponse:
    """An answer whose head has come, and whose body is read once."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """Read with lower-case names."""
    body: AsyncIterator[bytes]


FetchClient = Callable[[FetchRequest], AbstractAsyncContextManager[FetchResponse]]


@asynccontextmanager
async def fetch(request: FetchRequest) -> AsyncGenerator[FetchResponse, None]:
    """The default fetch client: a connection for this request alone.

    It goes through the proxy the environment names. Redirects are followed within the origin, where the method stays
    what it is; all others are answers, which the caller will find is no stream. So no header ever reaches another
    origin.

    Raises :class:`ConnectionLostError`, also while the body is read, and :class:`ProtocolError`.
    """
    import aiohttp

    session = aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, connect=request.connect_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=True,
    )
    async with session, fetch_with(session)(request) as response:
        yield response


def fetch_with(session: aiohttp.ClientSession) -> FetchClient:
    """The default fetch client on a session of the caller's, with its connections, cookies and timeouts."""

    @asynccontextmanager
    async def fetch_on_session(request: FetchRequest) -> AsyncGenerator[FetchResponse, None]:
        import aiohttp

        try:
            async with AsyncExitStack() as stack:
                response = await _follow(session, request, stack)
                headers = {name.lower(): value for name, value in response.headers.items()}
                yield FetchResponse(response.status, response.reason or "", headers, response.content.iter_any())
        except aiohttp.ClientResponseError as error:
            raise ProtocolError(f"The server does not speak HTTP: {printable(error.message, 100)}") from error
        except aiohttp.InvalidURL as error:
            raise ValueError("This is not a URL of a server.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionLostError(
                f"The connection was lost: {printable(str(error), 100) or type(error).__name__}"
            ) from error

    return fetch_on_session


async def _follow(
    session: aiohttp.ClientSession, request: FetchRequest, stack: AsyncExitStack
) -> aiohttp.ClientResponse:
    for _ in range(MAX_REDIRECTS + 1):
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", **request.headers}
        response = await session.request(
            request.method, request.url, headers=headers, data=request.body, allow_redirects=False
        )
        # a body that is not read to its end would otherwise be waited for
        stack.callback(response.close)
        target = _redirect(request, response)
        if target is None:
            return response
        response.close()
        request = replace(request, url=target)
    raise HttpError(response.status, response.reason or "", url=bare_url(request.url), body="too many redirects")


def _redirect(request: FetchRequest, response: aiohttp.ClientResponse) -> str | None:
    """Where to ask instead."""
    location = response.headers.get("location")
    if location is None or response.status not in (_REDIRECTS if request.method == "GET" else _KEEP_THE_METHOD):
        return None
    try:
        target = urljoin(request.url, location)
        return target if _origin(target) == _origin(request.url) else None
    except ValueError:  # this is no URL
        return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def bare_url(url: str) -> str:
    """A URL as it may be shown: without user, password, query and fragment."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()

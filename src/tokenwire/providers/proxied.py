"""The transport through an HTTP proxy, by aiohttp: for networks whose only way out is one."""

import asyncio

import aiohttp

from .base import HttpCall
from .transport import USER_AGENT, Sink

_RELEASE_SECONDS = 1.0


class ProxiedTransport:
    """Sends calls through the proxy that the environment names for their host (``HTTPS_PROXY``, ``NO_PROXY``)."""

    def __init__(self, *, connect_seconds: float) -> None:
        self._connect_seconds = connect_seconds
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            auto_decompress=False,
            trust_env=True,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"accept-encoding": "identity", "user-agent": USER_AGENT},
        )

    def send(self, call: HttpCall, sink: Sink) -> "ProxiedExchange":
        """See :class:`tokenwire.providers.transport.Transport`."""
        return ProxiedExchange(self._session, call, sink, call.connect_seconds or self._connect_seconds)

    async def close(self) -> None:
        """Closes every connection."""
        await self._session.close()


class ProxiedExchange:
    """One call and its answer. See :class:`tokenwire.providers.transport.Exchange`."""

    def __init__(self, session: aiohttp.ClientSession, call: HttpCall, sink: Sink, connect_seconds: float) -> None:
        self._sink: Sink | None = sink
        self._response: aiohttp.ClientResponse | None = None
        self._loop = asyncio.get_running_loop()
        self._going = asyncio.Event()
        self._going.set()
        timeouts = aiohttp.ClientTimeout(total=None, connect=connect_seconds)
        self._task = self._loop.create_task(self._run(session, call, timeouts))

    def abort(self) -> None:
        """Closes the socket at once."""
        self._sink = None
        if self._response is not None:
            self._response.close()
        self._task.cancel()

    def pause(self) -> None:
        """Takes nothing more from the socket, whose buffer then fills."""
        self._going.clear()

    def resume(self) -> None:
        """Reads on."""
        self._going.set()

    def release(self) -> None:
        """Lets the rest of the body pass, if it is there within a moment."""
        self._sink = None
        self._going.set()
        self._loop.call_later(_RELEASE_SECONDS, self._task.cancel)

    async def _run(self, session: aiohttp.ClientSession, call: HttpCall, timeouts: aiohttp.ClientTimeout) -> None:
        try:
            async with session.request(
                call.method, call.url, headers=call.headers, data=call.body, allow_redirects=False, timeout=timeouts
            ) as response:
                self._response = response
                if self._sink is not None:
                    self._sink.head(response.status, {k.lower(): v for k, v in response.headers.items()})
                async for data in response.content.iter_any():
                    if self._sink is not None:
                        self._sink.body(data)
                    await self._going.wait()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if self._sink is not None:
                self._sink.lost(f"{type(error).__name__}: {error}")
        else:
            if self._sink is not None:
                self._sink.end()

"""The way out through an HTTP proxy that the environment names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from tokenwire.providers.transport import Transport
from tokenwire.testing import Reply, ScriptedUpstream

from .calls import Heard, ask, call_to

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("make_transport", ["proxied"], indirect=True)]


class ForwardProxy:
    """Passes plain requests on to the host in their target, one a connection."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """The targets of the requests."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, _, headers = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
        method, target, version = line.decode().split(" ")
        self.asked.append(target)
        url = urlsplit(target)
        upstream, onwards = await asyncio.open_connection(url.hostname, url.port)
        onwards.write(f"{method} {url.path} {version}\r\n".encode() + headers)
        await asyncio.gather(_pipe(reader, onwards), _pipe(upstream, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ForwardProxy]:
    proxy = ForwardProxy()
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        yield proxy


async def test_a_call_goes_through_the_proxy(
    proxy: ForwardProxy, transport: Transport, upstream: ScriptedUpstream
) -> None:
    heard = await ask(transport, upstream, Reply(text=("Hel", "lo")))
    assert heard.calls[-1] == "end"
    assert heard.content.endswith(b"data: [DONE]\n\n")
    assert proxy.asked == [f"{upstream.base_url}/chat/completions"]
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-test"


async def test_a_host_that_needs_no_proxy_is_asked_directly(
    proxy: ForwardProxy, transport: Transport, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert (await ask(transport, upstream, Reply(body="Hi"))).content == b"Hi"
    assert proxy.asked == []


async def test_an_abort_is_seen_behind_the_proxy(
    proxy: ForwardProxy, transport: Transport, upstream: ScriptedUpstream
) -> None:
    upstream.say("one", "two", hold=True)
    heard = Heard()
    exchange = transport.send(call_to(upstream), heard)
    request = await upstream.received()
    await request.step()
    await heard.until(lambda: b"one" in heard.content)
    exchange.abort()
    await request.wait_closed()
    assert heard.calls[-1] == "body"


async def test_a_proxy_that_is_not_there_is_a_lost_call(
    transport: Transport, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    heard = Heard()
    transport.send(call_to(upstream), heard)
    assert await heard.over() == "lost"
    assert upstream.requests == []


async def test_nothing_compressed_is_asked_for(transport: Transport, upstream: ScriptedUpstream) -> None:
    await ask(transport, upstream, Reply(text=("Hi",)))
    assert upstream.requests[0].headers.get("accept-encoding", "identity") == "identity"

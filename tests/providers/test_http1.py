"""What our own HTTP/1.1 client does beside what every transport promises."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from tokenwire import __version__
from tokenwire.providers.base import HttpCall
from tokenwire.providers.transport import Transport
from tokenwire.testing import ONE_WRITE, Reply, ScriptedUpstream

from .calls import RESPONSES, Heard, ask, call_to
from .conftest import MakeTransport

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("make_transport", ["http1"], indirect=True)]

NOTHING = Reply(raw=b"")
"""The request is read, and the connection closed without a byte."""


async def test_a_call_on_a_connection_that_was_being_closed_is_made_again_on_a_new_one(
    transport: Transport, upstream: ScriptedUpstream
) -> None:
    await ask(transport, upstream, Reply(body="first"))
    upstream.reply(NOTHING)
    heard = await ask(transport, upstream, Reply(body="again"))
    assert (heard.calls[-1], heard.content) == ("end", b"again")
    assert (upstream.connections, len(upstream.requests)) == (2, 3)


async def test_it_is_made_again_once(transport: Transport, upstream: ScriptedUpstream) -> None:
    await ask(transport, upstream, Reply(body="first"))
    upstream.reply(NOTHING)
    heard = await ask(transport, upstream, NOTHING)
    assert heard.calls == ["lost"]
    assert (upstream.connections, len(upstream.requests)) == (2, 3)


async def test_a_call_on_a_new_connection_is_not_made_again(transport: Transport, upstream: ScriptedUpstream) -> None:
    heard = await ask(transport, upstream, NOTHING)
    assert heard.calls == ["lost"]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("fault", [{"cut_at": 1}, {"reset_at": 1}, {"cut_at": 60}], ids=str)
async def test_a_call_that_was_being_answered_is_not_made_again(
    transport: Transport, upstream: ScriptedUpstream, fault: dict[str, int]
) -> None:
    await ask(transport, upstream, Reply(body="first"))
    heard = await ask(transport, upstream, Reply(raw=RESPONSES["length"], **fault))  # type: ignore[arg-type]
    assert heard.calls[-1] == "lost"
    assert (upstream.connections, len(upstream.requests)) == (1, 2)


async def test_an_aborted_call_is_not_made_again(transport: Transport, upstream: ScriptedUpstream) -> None:
    await ask(transport, upstream, Reply(body="first"))
    upstream.say("held", hold="head")
    heard = Heard()
    exchange = transport.send(call_to(upstream), heard)
    request = await upstream.received(2)
    exchange.abort()
    await request.wait_closed()
    await ask(transport, upstream, Reply(body="third"))
    assert len(upstream.requests) == 3
    assert heard.calls == []


async def test_a_kept_connection_that_the_server_closed_is_not_used(transport: Transport) -> None:
    async with ScriptedUpstream() as upstream:
        await ask(transport, upstream, Reply(body="first"))
    port = int(upstream.base_url.rpartition(":")[2].partition("/")[0])
    async with ScriptedUpstream(port) as upstream:
        heard = await ask(transport, upstream, Reply(body="again"))
        assert heard.content == b"again"
        assert len(upstream.requests) == 1


async def test_bytes_that_nobody_asked_for_are_the_end_of_a_kept_connection(transport: Transport) -> None:
    kept, closed = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(RESPONSES["length"])
        await kept.wait()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        with suppress(ConnectionError):
            await reader.read()
        closed.set()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        heard = Heard()
        transport.send(call_to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), heard)
        assert await heard.over() == "end"
        kept.set()
        await asyncio.wait_for(closed.wait(), 10)
    assert heard.content == b"Hello!"


async def test_a_body_without_length_that_is_reset_is_lost(transport: Transport, upstream: ScriptedUpstream) -> None:
    for place in range(0, len(RESPONSES["close"]), 5):
        heard = await ask(transport, upstream, Reply(raw=RESPONSES["close"], reset_at=place))
        assert heard.calls[-1] == "lost"


@pytest.mark.parametrize(("rest", "content"), [(b"nonsense", b"Hel"), (b"3\r\nlo!garbage", b"Hello!")])
@pytest.mark.parametrize("write_sizes", [ONE_WRITE, (1,)], ids=["one write", "byte by byte"])
async def test_what_was_said_before_nonsense_is_heard(
    transport: Transport, upstream: ScriptedUpstream, rest: bytes, content: bytes, write_sizes: Sequence[int]
) -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nHel\r\n" + rest
    heard = await ask(transport, upstream, Reply(raw=raw, write_sizes=write_sizes))
    assert (heard.status, heard.content, heard.calls[-1]) == (200, content, "lost")


async def test_informational_responses_without_end_are_given_up(
    transport: Transport, upstream: ScriptedUpstream
) -> None:
    raw = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000
    heard = await ask(transport, upstream, Reply(raw=raw, stall_at=len(raw)))
    assert heard.calls == ["lost"]
    await upstream.requests[0].wait_closed()


async def test_origins_do_not_share_connections(transport: Transport, upstream: ScriptedUpstream) -> None:
    async with ScriptedUpstream() as other:
        for _ in range(2):
            assert (await ask(transport, upstream, Reply(body="one"))).content == b"one"
            assert (await ask(transport, other, Reply(body="two"))).content == b"two"
        assert (upstream.connections, other.connections) == (1, 1)


@pytest.mark.parametrize(
    ("url", "request_line", "host"),
    [
        ("http://{origin}/v1/chat/completions", b"POST /v1/chat/completions HTTP/1.1", b"{origin}"),
        ("http://{origin}", b"POST / HTTP/1.1", b"{origin}"),
        ("http://{origin}/a%20b?x=1&y=%2F", b"POST /a%20b?x=1&y=%2F HTTP/1.1", b"{origin}"),
        ("http://user:password@{origin}/v1", b"POST /v1 HTTP/1.1", b"{origin}"),
        ("http://localhost:{port}/v1", b"POST /v1 HTTP/1.1", b"localhost:{port}"),
    ],
)
async def test_the_bytes_of_a_request(transport: Transport, url: str, request_line: bytes, host: bytes) -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        asked.append(await reader.readexactly(5))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        heard = Heard()
        names = {"origin": f"127.0.0.1:{port}", "port": port}
        transport.send(HttpCall("POST", url.format(**names), {"x-odd": "é"}, b"hello"), heard)
        assert await heard.over() == "end"
    head, body = asked
    assert head.split(b"\r\n") == [
        request_line,
        b"host: " + host.decode().format(**names).encode(),
        f"user-agent: tokenwire/{__version__}".encode(),
        b"x-odd: \xe9",
        b"content-length: 5",
        b"",
        b"",
    ]
    assert body == b"hello"


async def test_closing_gives_up_on_connections_being_made(make_transport: MakeTransport, full: str) -> None:
    transport = make_transport(60)
    heard = Heard()
    transport.send(call_to(full), heard)
    await transport.close()
    assert heard.calls == []

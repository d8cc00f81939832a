"""Servers that are broken, or mean it: a typed error or the right text, in bounded memory and time."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tokenwire.client import (
    ClientError,
    ConnectionLostError,
    HttpError,
    Limits,
    ProtocolError,
    TruncatedStreamError,
    fetch_http_stream,
    fetch_server_sent_events,
)

from .raw_server import HELLO, Answer, RawServer, head, sse, stream, text
from .reading import read, said

pytestmark = pytest.mark.anyio

both = pytest.mark.parametrize("adapter_for", [fetch_server_sent_events, fetch_http_stream], ids=["sse", "ndjson"])
HTML = b"<!DOCTYPE html>\n<html><body>\x1b[31m<h1>Bad gateway</h1>\n</body></html>"


@both
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(HTML, id="HTML"),
        pytest.param(HTML.replace(b"\n", b""), id="HTML on a line without an end"),
        pytest.param(b'{"error":{"message":"no"}}', id="JSON"),
        pytest.param(b'{\n  "error": "no"\n}\n', id="JSON on many lines"),
        pytest.param(b"[]\n", id="a list"),
        pytest.param(b'"text"\n', id="a string"),
        pytest.param(b"[" * 200_000 + b"\n", id="depth"),
        pytest.param(b'{"type":"RUN_STARTED","x":"\xff\xfe"}\n', id="no UTF-8"),
    ],
)
async def test_what_is_no_stream_is_an_error(adapter_for: Any, body: bytes) -> None:
    async with RawServer([stream(body)]) as server:
        with pytest.raises(ProtocolError) as caught:
            await read(adapter_for(server.url))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("end", [b"\n\n", b""], ids=["whole", "cut"])
async def test_text_that_is_cut_inside_a_character(end: bytes) -> None:
    body = sse(text("x"))[:-4].replace(b"x", "☃".encode()[:2]) + end
    async with RawServer([stream(body)]) as server:
        with pytest.raises(ProtocolError if end else TruncatedStreamError):
            await read(fetch_server_sent_events(server.url))


@both
async def test_an_endless_line_is_given_up(adapter_for: Any) -> None:
    async def line() -> AsyncIterator[bytes]:
        yield head() + b'data: {"type":"TEXT_MESSAGE_CONTENT","delta":"'[6 * (adapter_for is fetch_http_stream) :]
        for _ in range(100):
            yield b"x" * 1_000_000

    async with RawServer([Answer(line())]) as server:
        tracemalloc.start()
        try:
            with pytest.raises(ProtocolError, match="8388608 bytes"):
                await read(adapter_for(server.url))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 40_000_000


async def test_an_event_of_endless_lines_is_given_up() -> None:
    body = b"data: x\n" * 1000
    async with RawServer([stream(body)]) as server:
        with pytest.raises(ProtocolError, match="1000 bytes"):
            await read(fetch_server_sent_events(server.url, {"limits": {"event_bytes": 1000}}))


async def test_the_size_of_an_event_is_the_callers_choice() -> None:
    long = text("x" * 1000)
    async with RawServer([stream(sse(long, *HELLO))] * 2) as server:
        adapter = fetch_server_sent_events(server.url, {"limits": {"event_bytes": 1200}})
        assert await read(adapter) == [long, *HELLO]
        with pytest.raises(ProtocolError):
            await read(fetch_server_sent_events(server.url, {"limits": Limits(event_bytes=1000)}))


async def test_endless_headers_are_given_up() -> None:
    async def headers() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        for number in range(1_000_000):
            yield b"x-%d: %s\r\n" % (number, b"y" * 1000)

    async with RawServer([Answer(headers())]) as server:
        with pytest.raises(ClientError):
            await read(fetch_server_sent_events(server.url))


@pytest.mark.parametrize("answer", [b"220 smtp ready\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, b"\0" * 500])
async def test_what_is_no_http_is_an_error(answer: bytes) -> None:
    async with RawServer([Answer([answer], "hang")]) as server:
        with pytest.raises(ClientError):
            await read(fetch_server_sent_events(server.url))
        await server.hung_up()


@pytest.mark.parametrize("said_first", [b"", head(), head() + sse(text("Hel"))], ids=["nothing", "head", "text"])
async def test_a_silent_server_is_given_up(said_first: bytes) -> None:
    seen: list[Any] = []
    async with RawServer([Answer([said_first], "hang")]) as server:
        with pytest.raises((ConnectionLostError, TruncatedStreamError)):
            await read(fetch_server_sent_events(server.url, {"limits": {"silence": 0.05}}), into=seen)
        await server.hung_up()
    assert said(seen) in ("", "Hel")


async def test_a_heartbeat_is_not_silence() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield head()
        for _ in range(4):
            await asyncio.sleep(0.1)
            yield b"\n"
        yield sse(*HELLO)

    async with RawServer([Answer(slow())]) as server:
        assert await read(fetch_server_sent_events(server.url, {"limits": {"silence": 0.3}})) == HELLO


async def test_an_error_page_is_quoted_in_a_short_line() -> None:
    page = head("502 Bad Gateway", content_type="text/html", retry_after="7")
    async with RawServer([Answer([page, HTML + b"x" * 1_000_000])]) as server:
        url = server.url.replace("://", "://user:pass@") + "?key=secret"
        with pytest.raises(HttpError) as caught:
            await read(fetch_server_sent_events(url))
    error = caught.value
    assert str(error) == "HTTP error! status: 502 Bad Gateway"
    assert (error.status, error.retry_after) == (502, 7.0)
    assert error.url == server.url
    assert error.body.startswith("<!DOCTYPE html> <html><body> [31m<h1>Bad gateway</h1>")
    assert len(error.body) == 200


async def test_a_silent_error_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenwire.client.http._EXCERPT_SECONDS", 0.05)
    async with RawServer([Answer([head("500 Oops"), b"wait "], "hang")]) as server:
        with pytest.raises(HttpError) as caught:
            await read(fetch_server_sent_events(server.url))
        await server.hung_up()
    assert caught.value.body == "wait"


async def test_an_endless_error_page(monkeypatch: pytest.MonkeyPatch) -> None:
    async def page() -> AsyncIterator[bytes]:
        yield head("500 Oops")
        while True:
            yield b"x" * 1000

    monkeypatch.setattr("tokenwire.client.http._EXCERPT_SECONDS", 3600)
    async with RawServer([Answer(page())]) as server:
        with pytest.raises(HttpError) as caught:
            await read(fetch_server_sent_events(server.url))
        await server.hung_up()
    assert caught.value.body == "x" * 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "nonsense"])
async def test_a_compression_that_is_none(encoding: str) -> None:
    async with RawServer([Answer([head(content_encoding=encoding), b"\xff" * 5000])]) as server:
        with pytest.raises(ClientError):
            await read(fetch_server_sent_events(server.url))


async def test_a_length_that_is_wrong() -> None:
    short = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + sse(*HELLO)
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + sse(*HELLO[:-1])
    for answer in (short, long):
        async with RawServer([Answer([answer])]) as server:
            with pytest.raises((TruncatedStreamError, ProtocolError)):
                await read(fetch_server_sent_events(server.url))

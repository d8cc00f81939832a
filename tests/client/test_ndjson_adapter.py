"""NDJSON as the adapter reads it."""

import pytest

from tokenwire.client import ProtocolError, TruncatedStreamError, fetch_http_stream

from .raw_server import HELLO, RawServer, ndjson, sse, stream
from .reading import read

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(ndjson(*HELLO), id="bare"),
        pytest.param(ndjson(*HELLO, offset="run"), id="envelopes"),
        pytest.param(ndjson(*HELLO).replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(ndjson(*HELLO).replace(b"\n", b"\n\n \n"), id="empty lines"),
        pytest.param(b"\xef\xbb\xbf" + ndjson(*HELLO), id="byte order mark"),
        pytest.param(ndjson(*HELLO).rstrip(b"\n"), id="no line feed at the end"),
    ],
)
async def test_every_spelling_gives_the_same_events_wherever_it_is_cut(body: bytes) -> None:
    async with RawServer([stream(body), stream(*(body[i : i + 1] for i in range(len(body))))]) as server:
        adapter = fetch_http_stream(server.url)
        assert await read(adapter) == HELLO
        assert await read(adapter) == HELLO


async def test_an_event_with_an_id_and_a_chunk_of_its_own_is_an_event() -> None:
    event = {"type": "CUSTOM", "id": "x", "chunk": {"type": "RUN_ERROR"}}
    async with RawServer([stream(ndjson(event, *HELLO))]) as server:
        assert await read(fetch_http_stream(server.url)) == [event, *HELLO]


@pytest.mark.parametrize("cut", [0, 10, len(ndjson(*HELLO)) - 5])
async def test_a_stream_without_an_end_is_an_error(cut: int) -> None:
    async with RawServer([stream(ndjson(*HELLO)[:cut])]) as server:
        with pytest.raises(TruncatedStreamError):
            await read(fetch_http_stream(server.url))


@pytest.mark.parametrize("body", [sse(*HELLO), b"null\n", b"[1]\n", b'{"id":"1","chunk":null}\n', b'{"error":"no"}'])
async def test_what_is_no_event_is_an_error(body: bytes) -> None:
    async with RawServer([stream(body)]) as server:
        with pytest.raises(ProtocolError):
            await read(fetch_http_stream(server.url))

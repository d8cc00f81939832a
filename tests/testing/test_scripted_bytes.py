"""What arrives at a bare socket, byte by byte."""

import asyncio
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tokenwire.testing import ONE_WRITE, Reply, ScriptedUpstream

pytestmark = pytest.mark.anyio

ASK = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
SHORT = Reply(text=("é",), headers={"Connection": "close"}, framing="close")


class Peer:
    """A TCP client that hides nothing."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self._port = int(upstream.base_url.rpartition(":")[2].partition("/")[0])
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket()
        self._socket.setblocking(False)

    async def __aenter__(self) -> "Peer":
        await self._loop.sock_connect(self._socket, ("127.0.0.1", self._port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def half_close(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._socket, data)

    async def ask(self, body: object = ASK, *head: str, version: str = "1.1") -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"POST /v1/chat/completions HTTP/{version}", f"Content-Length: {len(content)}", *head]
        await self.send("\r\n".join([*lines, "", ""]).encode() + content)

    async def read(self) -> bytes:
        """One read; nothing at the end of the connection."""
        async with asyncio.timeout(10):
            return await self._loop.sock_recv(self._socket, 1 << 20)

    async def read_until(self, end: bytes) -> bytes:
        read = b""
        while not read.endswith(end):
            more = await self.read()
            assert more, f"the connection ended after {read!r}"
            read += more
        return read

    async def read_size(self, size: int) -> bytes:
        read = b""
        while len(read) < size:
            read += await self.read()
        return read

    async def read_all(self) -> bytes:
        read = b""
        while more := await self.read():
            read += more
        return read


async def response(upstream: ScriptedUpstream, reply: Reply) -> bytes:
    """All that arrives of a reply whose connection the server closes; its bytes are the same every time."""
    upstream.requests.clear()
    upstream.reply(reply)
    async with Peer(upstream) as peer:
        await peer.ask()
        return await peer.read_all()


def headers(whole: bytes) -> Mapping[str, str]:
    head = whole.partition(b"\r\n\r\n")[0].decode()
    return dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])


@pytest.mark.parametrize("write_sizes", [None, (3, 50)])
async def test_a_cut_delivers_exactly_that_many_bytes(upstream: ScriptedUpstream, write_sizes: Any) -> None:
    whole = await response(upstream, SHORT)
    for offset in range(len(whole) + 1):
        cut = replace(SHORT, cut_at=offset, write_sizes=write_sizes)
        assert await response(upstream, cut) == whole[:offset]
        assert upstream.requests[0].finished


async def test_a_fault_at_the_very_end_happens(upstream: ScriptedUpstream) -> None:
    reply = Reply(text=("a",), framing="length")
    async with Peer(upstream) as peer:
        upstream.reply(reply)
        await peer.ask()
        whole = await peer.read_until(b"[DONE]\n\n")
        upstream.reply(replace(reply, reset_at=len(whole)))
        await peer.ask()
        await peer.read_until(b"[DONE]\n\n")
        with pytest.raises(ConnectionResetError):
            await peer.read()


async def test_a_fault_past_the_end_changes_nothing(upstream: ScriptedUpstream) -> None:
    reply = Reply(text=("a",), framing="length")
    upstream.reply(replace(reply, cut_at=100_000), replace(reply, reset_at=100_000))
    async with Peer(upstream) as peer:
        for _ in range(2):
            await peer.ask()
            await peer.read_until(b"[DONE]\n\n")
    assert upstream.connections == 1


@pytest.mark.parametrize("offset", [0, 1, 300])
async def test_a_reset_comes_after_exactly_that_many_bytes(upstream: ScriptedUpstream, offset: int) -> None:
    whole = await response(upstream, SHORT)
    upstream.requests.clear()
    upstream.reply(replace(SHORT, reset_at=offset))
    async with Peer(upstream) as peer:
        await peer.ask()
        assert await peer.read_size(offset) == whole[:offset]
        with pytest.raises(ConnectionResetError):
            await peer.read()
    assert upstream.requests[0].closed is None


@pytest.mark.parametrize("offset", [0, 1, 300])
async def test_a_stall_sends_that_many_bytes_and_stays(upstream: ScriptedUpstream, offset: int) -> None:
    whole = await response(upstream, SHORT)
    upstream.requests.clear()
    upstream.reply(replace(SHORT, stall_at=offset))
    async with Peer(upstream) as peer:
        await peer.ask()
        request = await upstream.received()
        read = await peer.read_size(offset)
        assert (upstream.open, request.finished, request.closed) == (1, False, None)
        peer.half_close()
        assert read + await peer.read_all() == whole[:offset]
    await request.wait_closed()


async def test_a_fault_counts_only_the_deltas_that_went_out_whole(upstream: ScriptedUpstream) -> None:
    reply = Reply(text=("first", "second", "third"), framing="close")
    whole = await response(upstream, reply)
    ends = [match.end() for match in re.finditer(rb"(first|second|third).*\n\n", whole)]
    for offset, sent in ((ends[0] - 1, 0), (ends[0], 1), (ends[1] - 1, 1), (ends[1], 2), (ends[2], 3)):
        await response(upstream, replace(reply, cut_at=offset))
        assert upstream.requests[0].sent == sent


async def test_writes_have_the_sizes_asked_for(upstream: ScriptedUpstream) -> None:
    upstream.reply(replace(SHORT, write_sizes=(100, 1)))
    async with Peer(upstream) as peer:
        await peer.ask()
        reads = []
        while data := await peer.read():
            reads.append(data)
    offset, ends = 0, []
    for read in reads[:-1]:
        offset += len(read)
        ends.append(offset)
    assert len(ends) > 1
    assert {end % 101 for end in ends} <= {0, 100}


async def test_one_write_arrives_in_one_read(upstream: ScriptedUpstream) -> None:
    upstream.reply(Reply(text=("word ",) * 20, write_sizes=ONE_WRITE))
    async with Peer(upstream) as peer:
        await peer.ask()
        assert (await peer.read()).endswith(b"\r\n0\r\n\r\n")


async def test_raw_is_the_whole_response(upstream: ScriptedUpstream) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ndata: {nonsense\xff"
    assert await response(upstream, Reply(raw=raw)) == raw
    assert await response(upstream, Reply(raw=raw, cut_at=5, write_sizes=(2,))) == raw[:5]
    assert await response(upstream, Reply(raw=b"")) == b""


async def test_the_framing_is_announced_and_kept(upstream: ScriptedUpstream) -> None:
    close = ("Connection: close",)
    body: dict[str, bytes] = {}
    for framing in ("chunked", "length", "close"):
        upstream.requests.clear()
        upstream.reply(Reply(text=("a", "b"), framing=framing))
        async with Peer(upstream) as peer:
            await peer.ask(ASK, *close)
            whole = await peer.read_all()
        body[framing] = whole.partition(b"\r\n\r\n")[2]
        said = headers(whole)
        assert said["connection"] == "close"
        assert said.get("transfer-encoding") == ("chunked" if framing == "chunked" else None)
        assert said.get("content-length") == (str(len(body["length"])) if framing == "length" else None)
    assert body["length"] == body["close"]
    unchunked, rest = b"", body["chunked"]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        unchunked, rest = unchunked + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    assert unchunked == body["length"]


async def test_a_header_replaces_the_responses_own(upstream: ScriptedUpstream) -> None:
    given = {"content-TYPE": "text/plain", "X-Request-Id": "r1"}
    whole = await response(upstream, replace(SHORT, headers=given))
    said = headers(whole)
    assert (said["content-type"], said["x-request-id"]) == ("text/plain", "r1")
    assert whole.lower().count(b"content-type") == 1


async def test_a_stream_can_lack_its_end(upstream: ScriptedUpstream) -> None:
    whole = await response(upstream, SHORT)
    *_, finish, done, rest = whole.split(b"\n\n")
    assert (b'"finish_reason":"stop"' in finish, done, rest) == (True, b"data: [DONE]", b"")
    undone = await response(upstream, replace(SHORT, done=False))
    assert undone == whole.removesuffix(done + b"\n\n")
    unfinished = await response(upstream, replace(SHORT, done=False, finish_reason=None))
    assert unfinished == undone.removesuffix(finish + b"\n\n")


async def test_comments_stand_before_every_event(upstream: ScriptedUpstream) -> None:
    plain = await response(upstream, SHORT)
    commented = await response(upstream, replace(SHORT, comments=True))
    assert commented.replace(b": keep-alive\n\n", b"") == plain
    assert commented.count(b": keep-alive\n\n") == plain.count(b"data: ")


async def test_a_connection_is_kept_for_further_requests(upstream: ScriptedUpstream) -> None:
    async with Peer(upstream) as peer:
        for _ in range(3):
            await peer.ask()
            await peer.read_until(b"\r\n0\r\n\r\n")
        assert (upstream.connections, upstream.open, len(upstream.requests)) == (1, 1, 3)
    await upstream.until(lambda: upstream.open == 0)
    assert [request.closed for request in upstream.requests] == [None, None, None]
    async with Peer(upstream) as peer:
        await peer.ask()
        await peer.read_until(b"\r\n0\r\n\r\n")
    assert upstream.connections == 2


async def test_requests_sent_ahead_are_answered_in_order(upstream: ScriptedUpstream) -> None:
    upstream.say("first", hold=True)
    upstream.say("second")
    async with Peer(upstream) as peer:
        await peer.ask()
        await peer.ask()
        await upstream.received(2)
        assert upstream.requests[1].sent == 0
        upstream.requests[0].release()
        whole = await peer.read_until(b"\r\n0\r\n\r\n")
        while b"second" not in whole:
            whole += await peer.read_until(b"\r\n0\r\n\r\n")
    assert whole.index(b"first") < whole.index(b"second")


async def test_http_1_0_gets_no_chunks_and_a_closed_connection(upstream: ScriptedUpstream) -> None:
    async with Peer(upstream) as peer:
        await peer.ask(version="1.0")
        whole = await peer.read_all()
    assert "transfer-encoding" not in headers(whole)
    assert whole.endswith(b"\n\ndata: [DONE]\n\n")


async def test_a_request_may_come_in_pieces_and_chunks(upstream: ScriptedUpstream) -> None:
    body = json.dumps({**ASK, "pieces": "ü"}, ensure_ascii=False).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    request = b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
    request += b"A: 1\r\na: 2\r\n\r\n" + chunks
    async with Peer(upstream) as peer:
        for start in range(0, len(request), 11):
            await peer.send(request[start : start + 11])
        await peer.send(b"0\r\n\r\n")
        await peer.read_until(b"\r\n0\r\n\r\n")
    assert upstream.requests[0].body["pieces"] == "ü"
    assert upstream.requests[0].headers["a"] == "1, 2"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[]", b"null", {}, {**ASK, "messages": "Hi"}, {**ASK, "model": 1}]
)
async def test_what_is_no_chat_completion_is_refused(upstream: ScriptedUpstream, body: object) -> None:
    async with Peer(upstream) as peer:
        await peer.ask(body, "Connection: close")
        whole = await peer.read_all()
    assert whole.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert json.loads(whole.partition(b"\r\n\r\n")[2])["error"]["type"] == "invalid_request_error"


async def test_what_is_no_http_is_refused(upstream: ScriptedUpstream) -> None:
    async with Peer(upstream) as peer:
        await peer.send(b"\x16\x03\x01\x02\x00 not for this port\r\n\r\n")
        assert (await peer.read_all()).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert upstream.requests == []


async def test_what_the_system_did_not_take_is_not_sent(upstream: ScriptedUpstream) -> None:
    upstream.reply(Reply(text=("x" * 1_000_000,) * 50))
    async with Peer(upstream) as peer:
        await peer.ask()
        request = await upstream.received()
        with pytest.raises(TimeoutError):
            await request.wait_finished(timeout=0.5)
    await request.wait_closed()
    assert 0 < request.sent < 50


async def test_a_peer_that_reads_late_misses_nothing(upstream: ScriptedUpstream) -> None:
    text = ("@" * 1_000_000,) * 10
    upstream.reply(Reply(text=text, framing="close"))
    async with Peer(upstream) as peer:
        await peer.ask()
        request = await upstream.received()
        await upstream.until(lambda: request.sent > 0)
        assert (await peer.read_all()).count(b"@") == 10_000_000
    assert (request.sent, request.finished, request.closed) == (10, True, None)


async def test_a_delay_is_before_the_head(upstream: ScriptedUpstream) -> None:
    upstream.reply(Reply(text=("a",), first_delay=3600))
    async with Peer(upstream) as peer:
        await peer.ask()
        request = await upstream.received()
        with pytest.raises(TimeoutError):
            await request.wait_finished(timeout=0.05)
        peer.half_close()
        assert await peer.read_all() == b""
    await request.wait_closed()


async def test_an_interval_is_after_the_first_delta(upstream: ScriptedUpstream) -> None:
    upstream.reply(Reply(text=("first", "second"), interval=3600))
    async with Peer(upstream) as peer:
        await peer.ask()
        request = await upstream.received()
        await upstream.until(lambda: request.sent == 1)
        peer.half_close()
        read = await peer.read_all()
    assert b"first" in read
    assert b"second" not in read
    await request.wait_closed()

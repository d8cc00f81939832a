"""What every transport promises, on real sockets."""

import socket
from collections.abc import Sequence

import pytest

from tokenwire import __version__
from tokenwire.providers.http1 import Http1Transport
from tokenwire.providers.proxied import ProxiedTransport
from tokenwire.providers.transport import Transport, open_transport
from tokenwire.testing import ONE_WRITE, Reply, ScriptedUpstream

from .calls import RESPONSES, Heard, ask, call_to
from .conftest import MakeTransport

pytestmark = pytest.mark.anyio

WRITES = [ONE_WRITE, (1,), (7, 3, 40)]

every_framing = pytest.mark.parametrize("framing", RESPONSES)
every_write = pytest.mark.parametrize("write_sizes", WRITES, ids=["one write", "byte by byte", "odd writes"])


async def test_the_call_arrives_as_it_was_built(transport: Transport, upstream: ScriptedUpstream) -> None:
    await ask(transport, upstream, Reply(text=("Hi",)))
    (request,) = upstream.requests
    call = call_to(upstream)
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers.items() >= dict(call.headers).items()
    assert request.headers["host"] == upstream.base_url.removeprefix("http://").removesuffix("/v1")
    assert request.headers["content-length"] == str(len(call.body))
    assert request.headers["user-agent"] == f"tokenwire/{__version__}"
    assert request.body["messages"] == [{"role": "user", "content": "hi"}]


@every_framing
@every_write
async def test_an_answer_is_heard_whole(
    transport: Transport, upstream: ScriptedUpstream, framing: str, write_sizes: Sequence[int]
) -> None:
    heard = await ask(transport, upstream, Reply(raw=RESPONSES[framing], write_sizes=write_sizes))
    assert heard.calls[-1] == "end"
    assert (heard.status, heard.content) == (200, b"Hello!")
    assert heard.headers.items() >= {"x-odd": "a", "content-type": "text/plain"}.items()


@every_write
async def test_a_stream_is_heard_as_it_is_sent(
    transport: Transport, upstream: ScriptedUpstream, write_sizes: Sequence[int]
) -> None:
    heard = await ask(transport, upstream, Reply(text=("é", "😀"), write_sizes=write_sizes))
    assert heard.calls[-1] == "end"
    assert heard.content.startswith(b"data: {")
    assert heard.content.endswith(b"data: [DONE]\n\n")
    assert "é".encode() in heard.content


async def test_a_delta_is_heard_before_the_next_is_sent(transport: Transport, upstream: ScriptedUpstream) -> None:
    upstream.say("one", "two", hold=True)
    heard = Heard()
    transport.send(call_to(upstream), heard)
    request = await upstream.received()
    await heard.until(lambda: heard.status == 200)
    await request.step()
    await heard.until(lambda: b"one" in heard.content)
    assert b"two" not in heard.content
    request.release()
    assert await heard.over() == "end"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_nobody_is_followed_elsewhere(transport: Transport, upstream: ScriptedUpstream, status: int) -> None:
    for location in (f"{upstream.origin}/elsewhere", "/elsewhere", "http://169.254.169.254/"):
        upstream.reply(Reply(status=status, body="gone", headers={"location": location}))
        heard = Heard()
        transport.send(call_to(upstream), heard)
        assert await heard.over() == "end"
        assert (heard.status, heard.content) == (status, b"gone")
    assert [request.path for request in upstream.requests] == ["/v1/chat/completions"] * 3


@pytest.mark.parametrize("status", [204, 304, 400, 401, 429, 500, 503])
async def test_any_status_is_an_answer(transport: Transport, upstream: ScriptedUpstream, status: int) -> None:
    raw = b"HTTP/1.1 %d Odd\r\nRetry-After: 3\r\n\r\n" % status
    heard = await ask(transport, upstream, Reply(raw=raw))
    assert (heard.calls[-1], heard.status, heard.headers["retry-after"]) == ("end", status, "3")


async def test_a_redirect_is_an_answer(transport: Transport, upstream: ScriptedUpstream) -> None:
    headers = {"Location": f"{upstream.base_url}/models"}
    heard = await ask(transport, upstream, Reply(status=307, headers=headers, body="elsewhere"))
    assert (heard.status, heard.content) == (307, b"elsewhere")
    assert len(upstream.requests) == 1


@every_write
async def test_informational_responses_are_passed_over(
    transport: Transport, upstream: ScriptedUpstream, write_sizes: Sequence[int]
) -> None:
    informed = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Odd: b\r\nLink: </a>\r\n\r\n"
    heard = await ask(transport, upstream, Reply(raw=informed + RESPONSES["length"], write_sizes=write_sizes))
    assert (heard.status, heard.headers["x-odd"], heard.content) == (200, "a", b"Hello!")
    assert "link" not in heard.headers


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_connection_is_kept_for_the_next_call(
    transport: Transport, upstream: ScriptedUpstream, framing: str
) -> None:
    for _ in range(3):
        assert (await ask(transport, upstream, Reply(body="Hi", framing=framing))).content == b"Hi"  # type: ignore[arg-type]
    assert upstream.connections == 1


async def test_a_connection_that_is_not_to_be_kept_is_not(transport: Transport, upstream: ScriptedUpstream) -> None:
    for headers in ({"Connection": "close"}, {}):
        for _ in range(2):
            framing = "length" if headers else "close"
            await ask(transport, upstream, Reply(body="Hi", framing=framing, headers=headers))  # type: ignore[arg-type]
    assert upstream.connections == 4
    await upstream.until(lambda: upstream.open == 0)


async def test_calls_at_once_have_connections_of_their_own(transport: Transport, upstream: ScriptedUpstream) -> None:
    upstream.reply(*(Reply(text=(f"<{number}>",), hold=True) for number in range(8)))
    heard = [Heard() for _ in range(8)]
    for sink in heard:
        transport.send(call_to(upstream), sink)
    await upstream.received(8)
    assert upstream.connections == 8
    for request in upstream.requests:
        request.release()
    for sink in heard:
        assert await sink.over() == "end"
    answers = b"".join(sorted(sink.content for sink in heard))
    assert [answers.count(b"<%d>" % number) for number in range(8)] == [1] * 8


@every_framing
async def test_a_response_cut_at_any_byte_is_lost(
    transport: Transport, upstream: ScriptedUpstream, framing: str
) -> None:
    response = RESPONSES[framing]
    head = response.index(b"\r\n\r\n") + 4
    for place in range(len(response)):
        heard = await ask(transport, upstream, Reply(raw=response[:place]))
        told = framing == "close" and place >= head
        assert heard.calls[-1] == ("end" if told else "lost")
        assert ("head" in heard.calls) == (place >= head)
        assert b"Hello!".startswith(heard.content)
    assert len(upstream.requests) == len(response)


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_response_reset_at_any_place_is_lost(
    transport: Transport, upstream: ScriptedUpstream, framing: str
) -> None:
    response = RESPONSES[framing]
    for place in range(0, len(response), 5):
        heard = await ask(transport, upstream, Reply(raw=response, reset_at=place))
        assert heard.calls[-1] == "lost"
        assert b"Hello!".startswith(heard.content)


@pytest.mark.parametrize(
    "make_transport",
    ["http1", "proxied"],
    indirect=True,
)
async def test_the_name_of_a_coding_has_no_case(transport: Transport, upstream: ScriptedUpstream) -> None:
    response = RESPONSES["chunked"].replace(b"chunked", b"Chunked")
    heard = await ask(transport, upstream, Reply(raw=response[:-5]))
    assert (heard.content, heard.calls[-1]) == (b"Hello!", "lost")


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(b"GARBAGE\r\n\r\n", id="garbage"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x28", id="tls"),
        pytest.param(b"HTTP/1.1 two hundred\r\n\r\n", id="no status"),
        pytest.param(b"HTTP/1.1 99 Odd\r\n\r\n", id="no such status"),
        pytest.param(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", id="no header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: six\r\n\r\nHello!", id="no length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 5\r\n\r\nHello!", id="two lengths"),
    ],
)
@pytest.mark.parametrize("write_sizes", [ONE_WRITE, (1000,)], ids=["one write", "many writes"])
async def test_what_is_not_http_is_lost(
    transport: Transport, upstream: ScriptedUpstream, response: bytes, write_sizes: Sequence[int]
) -> None:
    heard = await ask(transport, upstream, Reply(raw=response, write_sizes=write_sizes))
    assert heard.calls == ["lost"]


async def test_a_header_without_end_is_given_up(transport: Transport, upstream: ScriptedUpstream) -> None:
    raw = b"HTTP/1.1 200 OK\r\nX-Odd: " + b"a" * 300_000
    heard = await ask(transport, upstream, Reply(raw=raw, stall_at=len(raw)))
    assert heard.calls == ["lost"]
    await upstream.requests[0].wait_closed()


@pytest.mark.parametrize(
    "make_transport",
    [
        "http1",
        "proxied",
    ],
    indirect=True,
)
async def test_a_second_response_nobody_asked_for_is_not_heard(
    transport: Transport, upstream: ScriptedUpstream
) -> None:
    second = b"HTTP/1.1 500 Odd\r\nContent-Length: 4\r\n\r\nEvil"
    heard = await ask(transport, upstream, Reply(raw=RESPONSES["length"] + second, write_sizes=ONE_WRITE))
    assert (heard.status, heard.headers["x-odd"], heard.content) == (200, "a", b"Hello!")
    await ask(transport, upstream, Reply(body="Hi"))
    assert upstream.connections == 2


async def test_a_refused_connection_is_lost(transport: Transport) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        heard = Heard()
        transport.send(call_to(f"http://127.0.0.1:{nobody_listens.getsockname()[1]}"), heard)
        await heard.over()
    assert heard.calls == ["lost"]


@pytest.mark.parametrize(
    "make_transport",
    ["http1", "proxied"],
    indirect=True,
)
async def test_what_cannot_be_a_host_is_lost(transport: Transport) -> None:
    heard = Heard()
    transport.send(call_to("http://a..b:1"), heard)
    await heard.over()
    assert heard.calls == ["lost"]


async def test_a_connection_that_is_not_made_in_time_is_lost(make_transport: MakeTransport, full: str) -> None:
    transport = make_transport(0.05)
    heard = Heard()
    transport.send(call_to(full), heard)
    await heard.over()
    assert heard.calls == ["lost"]
    await transport.close()


async def test_a_call_may_have_less_time_to_connect_than_others(make_transport: MakeTransport, full: str) -> None:
    transport = make_transport(600)
    heard = Heard()
    transport.send(call_to(full)._replace(connect_seconds=0.05), heard)
    await heard.over()
    assert heard.calls == ["lost"]
    await transport.close()


async def test_a_call_may_have_more_time_to_connect_than_others(make_transport: MakeTransport, full: str) -> None:
    transport = make_transport(0.05)
    patient, other = Heard(), Heard()
    exchange = transport.send(call_to(full)._replace(connect_seconds=600), patient)
    transport.send(call_to(full), other)
    await other.over()
    assert patient.calls == []
    exchange.abort()
    await transport.close()


async def test_a_cookie_is_nobodys(transport: Transport, upstream: ScriptedUpstream) -> None:
    call = call_to(upstream.base_url.replace("127.0.0.1", "localhost"))
    for _ in range(2):
        upstream.reply(Reply(text=("Hi",), headers={"set-cookie": "whose=anns; Path=/"}))
        heard = Heard()
        transport.send(call, heard)
        assert await heard.over() == "end"
    assert ["cookie" in request.headers for request in upstream.requests] == [False, False]


async def test_closing_closes_what_is_kept(make_transport: MakeTransport, upstream: ScriptedUpstream) -> None:
    transport = make_transport(10)
    await ask(transport, upstream, Reply(body="Hi"))
    assert upstream.open == 1
    await transport.close()
    await upstream.until(lambda: upstream.open == 0)


@pytest.mark.parametrize(
    ("variable", "kind"),
    [
        (None, Http1Transport),
        ("NO_PROXY", Http1Transport),
        ("HTTPS_PROXY", ProxiedTransport),
        ("http_proxy", ProxiedTransport),
        ("ALL_PROXY", Http1Transport),
    ],
)
async def test_the_environment_decides(
    variable: str | None, kind: type[Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    transport = open_transport(connect_seconds=1)
    assert isinstance(transport, kind)
    await transport.close()

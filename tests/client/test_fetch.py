"""The default fetch client, and other ones."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tokenwire.client import (
    ConnectionLostError,
    FetchOptions,
    FetchRequest,
    FetchResponse,
    HttpError,
    ProtocolError,
    TruncatedStreamError,
    fetch,
    fetch_server_sent_events,
    fetch_with,
)

from .raw_server import HELLO, Answer, RawServer, head, sse, stream
from .reading import QUESTION, collect, read

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_within_the_origin_repeats_the_request(status: int) -> None:
    moved = Answer([head(f"{status} Moved", location="/new/chat?x=1")])
    async with RawServer([moved, stream(sse(*HELLO))]) as server:
        options = FetchOptions(headers={"Authorization": "Bearer k"})
        assert await read(fetch_server_sent_events(server.url, options)) == HELLO
    first, second = server.requests
    assert (second.method, second.target, second.body) == ("POST", "/new/chat?x=1", first.body)
    assert second.headers == first.headers


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_redirect_that_changes_the_method_is_not_followed(status: int) -> None:
    async with RawServer([Answer([head(f"{status} Moved", location="/login")])]) as server:
        with pytest.raises(HttpError):
            await read(fetch_server_sent_events(server.url))
    assert len(server.requests) == 1


async def test_a_join_follows_any_redirect_within_the_origin() -> None:
    async with RawServer([Answer([head("302 Found", location="new")]), stream(sse(*HELLO))]) as server:
        assert await collect(fetch_server_sent_events(server.url).join_run("r")) == HELLO
    assert [asked.target for asked in server.requests] == ["/chat?offset=-1&runId=r", "/new"]


@pytest.mark.parametrize("status", [302, 307])
async def test_no_request_goes_to_another_origin(status: int) -> None:
    async with RawServer([stream(sse(*HELLO))]) as other:
        moved = Answer([head(f"{status} Moved", location=other.url)])
        async with RawServer([moved, moved]) as server:
            adapter = fetch_server_sent_events(server.url, {"headers": {"Authorization": "Bearer k"}})
            for chunks in (adapter.connect(QUESTION), adapter.join_run("r")):
                with pytest.raises(HttpError) as caught:
                    await collect(chunks)
                assert caught.value.status == status
        assert other.requests == []


async def test_a_redirect_to_nowhere() -> None:
    async with RawServer([Answer([head("307 Moved", location="http://[oops")])]) as server:
        with pytest.raises(HttpError):
            await read(fetch_server_sent_events(server.url))


async def test_redirects_in_a_circle_come_to_an_end() -> None:
    async with RawServer([Answer([head("307 Moved", location="/chat")])] * 6) as server:
        with pytest.raises(HttpError):
            await read(fetch_server_sent_events(server.url))
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("credentials", "cookie"),
    [("same-origin", "session=s; theme=dark"), ("include", "session=s; theme=dark"), ("omit", None)],
)
async def test_cookies_go_along_unless_they_are_left_out(credentials: Any, cookie: str | None) -> None:
    async with RawServer([stream(sse(*HELLO))]) as server:
        options = FetchOptions(cookies={"session": "s", "theme": "dark"}, credentials=credentials)
        await read(fetch_server_sent_events(server.url, options))
    assert server.requests[0].headers.get("cookie") == cookie


async def test_what_a_server_sets_is_kept_by_a_session_of_the_callers() -> None:
    first = Answer([head(set_cookie="session=s"), sse(*HELLO)])
    async with (
        RawServer([first, stream(sse(*HELLO))]) as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        adapter = fetch_server_sent_events(server.url, {"fetch_client": fetch_with(session)})
        for _ in range(2):
            assert await read(adapter) == HELLO
    assert [asked.headers.get("cookie") for asked in server.requests] == [None, "session=s"]


async def test_a_client_around_the_default_one_refreshes_a_token() -> None:
    @asynccontextmanager
    async def refreshing(request: FetchRequest) -> AsyncGenerator[FetchResponse, None]:
        async with fetch(request) as response:
            if response.status != 401:
                yield response
                return
        request.headers["Authorization"] = "Bearer new"
        async with fetch(request) as response:
            yield response

    async with RawServer([Answer([head("401 Unauthorized")]), stream(sse(*HELLO))]) as server:
        options = FetchOptions(headers={"Authorization": "Bearer old"}, fetch_client=refreshing)
        assert await read(fetch_server_sent_events(server.url, options)) == HELLO
    assert [asked.headers["authorization"] for asked in server.requests] == ["Bearer old", "Bearer new"]


def without_network(*bodies: list[bytes | Exception]) -> tuple[Any, list[FetchRequest], list[str]]:
    """A client that answers out of nothing, what it was asked, and what became of its answers."""
    asked: list[FetchRequest] = []
    closed: list[str] = []

    @asynccontextmanager
    async def answering(request: FetchRequest) -> AsyncGenerator[FetchResponse, None]:
        async def body(pieces: list[bytes | Exception]) -> AsyncIterator[bytes]:
            for piece in pieces:
                if isinstance(piece, Exception):
                    raise piece
                yield piece

        asked.append(request)
        try:
            yield FetchResponse(200, "OK", {}, body(bodies[len(asked) - 1]))
        finally:
            closed.append("closed")

    return answering, asked, closed


@pytest.mark.parametrize("error", [OSError("gone"), TimeoutError()])
async def test_a_lost_connection_of_any_client_is_resumed(error: Exception) -> None:
    client, asked, closed = without_network(
        [sse(*HELLO[:2], offset="run"), error], [sse(*HELLO[2:], offset="run", first=3)]
    )
    adapter = fetch_server_sent_events("any://where", {"fetch_client": client, "reconnect": {"delay": 0}})
    assert await read(adapter) == HELLO
    assert asked[1].headers["Last-Event-ID"] == "run:2"
    assert closed == ["closed"] * 2


async def test_another_error_of_a_client_is_the_callers() -> None:
    client, _, closed = without_network([sse(*HELLO[:2], offset="run"), KeyError("mine")])
    with pytest.raises(KeyError, match="mine"):
        await read(fetch_server_sent_events("any://where", {"fetch_client": client}))
    assert closed == ["closed"]


async def test_nobody_there() -> None:
    async with RawServer() as server:
        url = server.url
    with pytest.raises(ConnectionLostError):
        await read(fetch_server_sent_events(url))


async def test_a_connection_that_is_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", never)
    with pytest.raises(ConnectionLostError):
        await read(fetch_server_sent_events("http://127.0.0.1:9/", {"limits": {"connect": 0.05}}))


async def test_what_is_no_url() -> None:
    with pytest.raises(ValueError, match="not a URL"):
        await read(fetch_server_sent_events("/api/chat"))


HYDRATION = b"""{"messages":[{"id":"m1","role":"user","parts":[]}],"activeRun":{"runId":"r1"},
"interrupts":{"runId":"r0","pending":[{"id":"a"}]},"page":{"truncated":true,"cursor":"c1"}}"""


async def test_a_transcript_is_asked_for_on_the_same_url() -> None:
    async with RawServer([Answer([head(), HYDRATION])]) as server:
        adapter = fetch_server_sent_events(f"{server.url}?region=eu", {"headers": {"Authorization": "Bearer k"}})
        found = await adapter.hydrate("t 1", limit=2, before="c2")
    (asked,) = server.requests
    assert (asked.method, asked.target) == ("GET", "/chat?region=eu&threadId=t+1&limit=2&before=c2")
    assert (asked.headers["accept"], asked.headers["authorization"]) == ("application/json", "Bearer k")
    assert found.messages == [{"id": "m1", "role": "user", "parts": []}]
    assert (found.active_run, found.interrupted_run, found.interrupts) == ("r1", "r0", [{"id": "a"}])
    assert found.cursor == "c1"


@pytest.mark.parametrize(
    "body", [b"null", b"{}", b'{"messages":null,"activeRun":null,"interrupts":{},"page":{"cursor":1}}']
)
async def test_a_thread_of_which_nothing_is_kept(body: bytes) -> None:
    async with RawServer([Answer([head(), body])]) as server:
        found = await fetch_server_sent_events(server.url).hydrate("t")
    assert (found.messages, found.active_run, found.interrupts, found.cursor) == ([], None, [], None)


async def test_a_transcript_that_is_none() -> None:
    async with RawServer(
        [Answer([head("404 Not Found")]), Answer([head(), b"<html>"]), Answer([head(), b"[]"])]
    ) as server:
        adapter = fetch_server_sent_events(server.url)
        for error in (HttpError, ProtocolError, ProtocolError):
            with pytest.raises(error):
                await adapter.hydrate("t")


async def test_a_truncated_answer_of_any_client() -> None:
    client, _, _ = without_network([sse(*HELLO[:2])])
    with pytest.raises(TruncatedStreamError):
        await read(fetch_server_sent_events("any://where", {"fetch_client": client}))

"""The twin of ``useAIChat``, against scripted servers: what it sends, shows and tells."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tokenwire.client import (
    ClientError,
    DurableStreamIncompleteError,
    HttpError,
    ProtocolError,
    RaisClient,
    RaisMessage,
    RunFailed,
    TruncatedStreamError,
    fetch_rais,
)

from .raw_server import Answer, Ending, Json, RawServer, head, sse, stream
from .reading import QUESTION, collect, said

pytestmark = pytest.mark.anyio

DONE: Json = {"type": "done"}


def text(*deltas: str) -> list[Json]:
    return [{"type": "text", "text": delta} for delta in deltas]


HELLO = [*text("Hel", "lo ☃"), DONE]


def refusal(body: bytes, status: str = "502 Bad Gateway") -> Answer:
    return Answer([head(status), body])


class Told:
    """Everything a client's callbacks were told."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.complete: list[RaisMessage] = []
        self.errors: list[ClientError] = []

    def client(self, url: str, **options: Any) -> RaisClient:
        return RaisClient(
            url,
            on_token=self.tokens.append,
            on_complete=self.complete.append,
            on_error=self.errors.append,
            **options,
        )


@pytest.fixture
def told() -> Told:
    return Told()


def shown(client: RaisClient) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in client.messages]


async def test_an_answer(told: Told) -> None:
    async with RawServer([stream(sse(*HELLO))]) as server, told.client(server.url) as client:
        await client.send_message("Hello")
    assert shown(client) == [("user", "Hello"), ("assistant", "Hello ☃")]
    assert told.tokens == ["Hel", "lo ☃"]
    assert told.complete == [client.messages[1]]
    assert (client.loading, client.error, told.errors) == (False, None, [])


async def test_the_request_has_the_whole_history_and_nothing_else_of_it() -> None:
    async with RawServer([stream(sse(*HELLO)), stream(sse(*HELLO))]) as server:
        client = RaisClient(server.url, body={"persona": "support-agent", "temperature": 0.7})
        await client.send_message("Hello")
        await client.send_message("Again")
    first, second = server.requests
    assert (first.method, first.headers["content-type"]) == ("POST", "application/json")
    assert "x-run-id" not in first.headers
    assert first.body == (
        b'{"messages":[{"role":"user","content":"Hello"}],"persona":"support-agent","temperature":0.7}'
    )
    assert second.json["messages"] == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello ☃"},
        {"role": "user", "content": "Again"},
    ]


async def test_headers_and_body_are_read_on_each_send() -> None:
    count = 0

    async def token() -> dict[str, str]:
        nonlocal count
        count += 1
        return {"Authorization": f"Bearer {count}"}

    persona = {"persona": "a"}
    async with RawServer([stream(sse(*HELLO)) for _ in range(3)]) as server:
        client = RaisClient(server.url, headers=token, body=lambda: persona)
        await client.send_message("1")
        persona["persona"] = "b"
        await client.send_message("2")
        client.headers = {"Authorization": "Bearer mine"}
        await client.send_message("3")
    assert [asked.headers["authorization"] for asked in server.requests] == ["Bearer 1", "Bearer 2", "Bearer mine"]
    assert [asked.json["persona"] for asked in server.requests] == ["a", "b", "b"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(sse(*HELLO), id="plain"),
        pytest.param(sse(*HELLO).replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(sse(*HELLO).replace(b"data: ", b"data:"), id="no space"),
        pytest.param(sse(*HELLO).replace(b"\n\n", b"\n"), id="single newlines"),
        pytest.param(sse(*HELLO).rstrip(b"\n"), id="no blank line at the end"),
        pytest.param(sse(*HELLO[:2]) + b"data: [DONE]\n\n", id="the sentinel of OpenAI"),
        pytest.param(sse({"type": "reasoning", "text": "Hm"}, *text(""), {"type": "text"}, *HELLO), id="more events"),
        pytest.param(sse(*HELLO, *text("never")), id="events after the end"),
    ],
)
async def test_every_spelling_wherever_it_is_cut(told: Told, body: bytes) -> None:
    async with RawServer([stream(body), stream(*(body[i : i + 1] for i in range(len(body))))]) as server:
        for _ in range(2):
            async with told.client(server.url) as client:
                await client.send_message("Hello")
                assert shown(client)[-1] == ("assistant", "Hello ☃")
    assert told.tokens == ["Hel", "lo ☃"] * 2
    assert len(told.complete) == 2


async def test_reading_stops_at_the_end() -> None:
    async with RawServer([stream(sse(*HELLO), ending="hang")]) as server, RaisClient(server.url) as client:
        await client.send_message("Hello")
        await server.hung_up()
    assert client.error is None


@pytest.mark.parametrize(
    ("answer", "kind", "error", "partial"),
    [
        (stream(sse(*text("Hel"), {"type": "error", "error": "No more."})), RunFailed, "No more.", "Hel"),
        (stream(sse({"type": "error"})), RunFailed, "Stream error", ""),
        (stream(sse(*text("Hel"))), TruncatedStreamError, "The answer broke off", "Hel"),
        (stream(sse(*text("Hel")), ending="reset"), TruncatedStreamError, "The answer broke off", "Hel"),
        (stream(b"<html>Hello</html>"), ProtocolError, "This is no event of a chat", ""),
        (stream(b'{"error":"quota"}'), ProtocolError, "it has no type", ""),
        (refusal(b"No such model."), HttpError, "Request failed: No such model.", ""),
        (refusal(b'{"error":"No such model."}'), HttpError, "Request failed: No such model.", ""),
        (refusal(b'{"error":{"message":"No such model."}}'), HttpError, "Request failed: No such model.", ""),
        (refusal(b'{"detail": "No such model."}'), HttpError, "Request failed: No such model.", ""),
        (refusal(b'{"errors":[1]}'), HttpError, "Request failed: 502 Bad Gateway", ""),
        (refusal(b"<html><h1>nginx"), HttpError, "Request failed: 502 Bad Gateway", ""),
        (refusal(b"", "429 "), HttpError, "Request failed: 429", ""),
        (refusal(b"", "204 No Content"), HttpError, "Request failed: 204 No Content", ""),
    ],
)
async def test_what_goes_wrong_is_told(
    told: Told, answer: Answer, kind: type[ClientError], error: str, partial: str
) -> None:
    async with RawServer([answer, stream(sse(*HELLO))]) as server, told.client(server.url) as client:
        await client.send_message("Hello")
        assert shown(client) == [("user", "Hello"), ("assistant", partial)]
        assert client.error is not None
        assert error in client.error
        assert [type(each) for each in told.errors] == [kind]
        assert (told.complete, client.loading) == ([], False)
        await client.send_message("Again")
        assert client.error is None
        assert len(told.complete) == 1


async def test_a_server_that_is_not_there() -> None:
    async with RawServer() as server:
        pass
    async with RaisClient(server.url) as client:
        await client.send_message("Hello")
    assert "connection was lost" in str(client.error)


async def test_what_the_callers_functions_raise_is_raised() -> None:
    def fail() -> dict[str, str]:
        raise LookupError("no token")

    async with RaisClient("http://127.0.0.1:9", headers=fail) as client:
        with pytest.raises(LookupError, match="no token"):
            await client.send_message("Hello")
    assert (client.loading, client.error) == (False, None)


async def test_a_message_while_one_is_answered_is_not_sent() -> None:
    async with RawServer([stream(sse(*text("Hel")), ending="hang")]) as server, RaisClient(server.url) as client:
        sending = asyncio.create_task(client.send_message("Hello"))
        await server.asked()
        assert client.loading
        await client.send_message("ignored")
        assert [message.content for message in client.messages][0::2] == ["Hello"]
        client.stop()
        await sending
    assert len(server.requests) == 1


async def test_stop_keeps_the_text_and_is_no_error(told: Told) -> None:
    async with RawServer([stream(sse(*text("Hel")), ending="hang")]) as server:
        client = RaisClient(
            server.url,
            on_token=lambda _: client.stop(),
            on_complete=told.complete.append,
            on_error=told.errors.append,
        )
        await client.send_message("Hello")
        await server.hung_up()
    assert shown(client)[1] == ("assistant", "Hel")
    assert (client.loading, client.error, told.complete, told.errors) == (False, None, [], [])


async def test_a_send_right_after_a_stop_is_not_ended_by_the_old_one() -> None:
    async with RawServer([Answer([], "hang"), stream(sse(*text("new")), ending="hang")]) as server:
        client = RaisClient(server.url)
        old = asyncio.create_task(client.send_message("old"))
        await server.asked()
        client.stop()
        assert not client.loading
        new = asyncio.create_task(client.send_message("new"))
        await old
        await server.asked()
        assert client.loading
        await client.aclose()
        await new
    assert [message.content for message in client.messages][:3] == ["old", "", "new"]


async def test_clearing_forgets_everything_and_stops_nothing(told: Told) -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    def note(token: str) -> None:
        told.tokens.append(token)
        begun.set()

    async def body() -> AsyncIterator[bytes]:
        yield head(content_type="text/event-stream") + sse(*text("Hel"))
        await released.wait()
        yield sse(*text("lo"), DONE)

    async with RawServer([Answer(body())]) as server, RaisClient(server.url, on_token=note) as client:
        sending = asyncio.create_task(client.send_message("Hello"))
        await begun.wait()
        client.clear_messages()
        assert client.messages == []
        assert client.loading
        released.set()
        await sending
        assert client.messages == []
    assert told.tokens == ["Hel", "lo"]


@pytest.mark.parametrize("how", ["aclose", "cancel"])
async def test_leaving_ends_the_request(how: str) -> None:
    async with RawServer([stream(sse(*text("Hel")), ending="hang")]) as server:
        client = RaisClient(server.url)
        sending = asyncio.create_task(client.send_message("Hello"))
        await server.asked()
        if how == "aclose":
            await client.aclose()
            await asyncio.sleep(0)
            assert sending.done()
        else:
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
        assert not client.loading
        await server.hung_up()


async def test_a_callback_may_send_the_next_message() -> None:
    async def again(_: object) -> None:
        if len(server.requests) < 3:
            await client.send_message("and?")

    async with RawServer([stream(sse(*HELLO)), stream(b""), stream(sse(*HELLO))]) as server:
        client = RaisClient(server.url, on_complete=again, on_error=again)
        await client.send_message("Hello")
    assert [asked.json["messages"][-1]["content"] for asked in server.requests] == ["Hello", "and?", "and?"]


async def test_a_callback_may_close_the_client() -> None:
    async def close(_: object) -> None:
        await client.aclose()

    async with RawServer([stream(sse(*HELLO), ending="hang")]) as server:
        client = RaisClient(server.url, on_token=close)
        await client.send_message("Hello")
        await server.hung_up()
    assert shown(client)[1] == ("assistant", "Hel")


async def test_an_unknown_transport_is_refused() -> None:
    with pytest.raises(ValueError, match="sse or ws"):
        RaisClient("http://127.0.0.1:9", transport="carrier pigeon")  # type: ignore[arg-type]


AT_ONCE = {"reconnect": {"delay": 0}}


@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_a_lost_stream_goes_on_after_the_last_event(ending: Ending) -> None:
    answers = [
        stream(sse(*text("Hel"), offset="k"), ending=ending),
        stream(sse(*text("lo"), DONE, offset="k", first=2)),
    ]
    async with RawServer(answers) as server:
        assert said(await collect(fetch_rais(server.url, AT_ONCE).connect(QUESTION))) == "Hello"
    first, second = server.requests
    assert "last-event-id" not in first.headers
    assert second.headers["last-event-id"] == "k:1"
    assert second.body == first.body


@pytest.mark.parametrize(
    ("again", "error"),
    [
        pytest.param(stream(sse(*HELLO, offset="other")), DurableStreamIncompleteError, id="a new answer"),
        pytest.param(stream(sse(*HELLO)), DurableStreamIncompleteError, id="a new answer without names"),
        pytest.param(refusal(b"", "204 No Content"), DurableStreamIncompleteError, id="cannot resume"),
        pytest.param(refusal(b"who?", "403 Forbidden"), HttpError, id="refused"),
    ],
)
async def test_no_text_of_another_answer_is_shown(again: Answer, error: type[ClientError]) -> None:
    chunks: list[Any] = []
    async with RawServer([stream(sse(*text("Hel"), offset="k")), again]) as server:
        with pytest.raises(error):
            await collect(fetch_rais(server.url, AT_ONCE).connect(QUESTION), into=chunks)
    assert said(chunks) == "Hel"


async def test_a_bare_number_is_nothing_to_go_on_from() -> None:
    async with RawServer([stream(b"id: 1\n" + sse(*text("Hel")))]) as server:
        with pytest.raises(TruncatedStreamError):
            await collect(fetch_rais(server.url, AT_ONCE).connect(QUESTION))
    assert len(server.requests) == 1


async def test_roles_of_any_kind_of_message() -> None:
    rows: list[Json] = [
        {"role": "system", "content": "Be brief."},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "parts": [{"type": "text", "content": "a"}, {"type": "text", "content": "b"}]},
    ]
    async with RawServer([stream(sse(*HELLO))]) as server:
        await collect(fetch_rais(server.url).connect(rows, {"model": "m"}))
    assert json.loads(server.requests[0].body) == {
        "messages": [*rows[:2], {"role": "assistant", "content": "ab"}],
        "model": "m",
    }

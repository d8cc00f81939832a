"""TanStack AI's guide "Custom Backend Integration", snippet by snippet (the adapters are in adapters.mjs)."""

import pytest

from tokenwire.testing import Reply

from .client import Client, text_of
from .model import Model

HELLO = {"role": "user", "content": "Hello"}
WARM = {"temperature": 0.5}
sockets = pytest.mark.parametrize("adapter", ["connectSocket", "pushSocket"])
handwritten = pytest.mark.parametrize("adapter", ["direct", "resilient", "push"])


def test_setup_with_an_authorization_header(client: Client, model: Model) -> None:
    model.say("Hel", "lo")
    seen = client.play(["send", "Hello"], options={"headers": {"Authorization": "Bearer token-1"}})
    assert (seen.status, seen.answer) == ("ready", "Hello")
    (asked,) = model.requests
    assert "token-1" not in str(asked.headers)


def test_static_options(client: Client, model: Model) -> None:
    model.say("One")
    model.say("Two")
    headers = {"Authorization": "Bearer token-1", "X-Tenant-Id": "acme"}
    seen = client.play(["send", "first"], ["send", "second"], options={"headers": headers, "credentials": "include"})
    assert seen.answer == "Two"
    for request in seen.requests:
        assert request["headers"]["authorization"] == "Bearer token-1"
        assert request["headers"]["x-tenant-id"] == "acme"
        assert request["credentials"] == "include"
    for asked in model.requests:
        assert "x-tenant-id" not in asked.headers


def test_dynamic_url_and_options_evaluated_per_request(client: Client, model: Model) -> None:
    model.say("One")
    model.say("Two")
    body = {"provider": "openai", "model": "gpt-4o"}
    seen = client.play(["send", "first"], ["send", "second"], adapter="withDynamicOptions", options={"body": body})
    assert seen.answer == "Two"
    assert [request["url"] for request in seen.requests] == [f"{client.url}?session={n}" for n in (1, 2)]
    assert [request["headers"]["authorization"] for request in seen.requests] == ["Bearer token-1", "Bearer token-2"]
    assert [asked.body["model"] for asked in model.requests] == ["upstream-of-gpt-4o"] * 2
    for asked in model.requests:
        assert "provider" not in asked.body


def test_body_is_merged_beside_messages_and_data(sse: Client, model: Model) -> None:
    model.say("Hi")
    seen = sse.play(["send", "Hello"], options={"body": {"provider": "openai", "model": "gpt-4o"}})
    sent = seen.requests[0]["body"]
    assert {"messages", "data"} <= sent.keys()
    assert sent["model" if sse.generation == "legacy" else "forwardedProps"]
    assert model.requests[0].body["model"] == "upstream-of-gpt-4o"


def test_custom_ndjson_backend_with_fetch_http_stream(ndjson: Client, model: Model) -> None:
    model.say("Hel", "lo")
    seen = ndjson.play(["send", "Hello"], options={"headers": {"Authorization": "Bearer token-1"}})
    (request,) = seen.requests
    assert request["responseHeaders"]["content-type"].startswith("application/x-ndjson")
    assert "data:" not in request["received"]
    assert seen.answer == "Hello"


@handwritten
def test_fully_custom_connection_adapter(ndjson: Client, model: Model, adapter: str) -> None:
    model.say("Hel", "lo")
    model.say("Bye")
    seen = ndjson.play(["send", "Hello"], ["send", "Bye"], adapter=adapter)
    assert (seen.status, seen.error, seen.answer) == ("ready", None, "Bye")
    assert [asked.body["messages"] for asked in model.requests] == [
        [HELLO],
        [HELLO, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Bye"}],
    ]


@handwritten
def test_fully_custom_connection_adapter_with_data(ndjson: Client, model: Model, adapter: str) -> None:
    model.say("Hi")
    ndjson.play(["send", "Hello"], adapter=adapter, client={"body": {"temperature": 0.5}})
    (asked,) = model.requests
    assert asked.body["temperature"] == 0.5


@handwritten
def test_fully_custom_connection_adapter_shows_reasoning_and_errors(ndjson: Client, model: Model, adapter: str) -> None:
    model.reply(Reply(reasoning=("hm",), text=("Hel", "lo"), error_after=2))
    seen = ndjson.play(["send", "Hello"], adapter=adapter)
    assert (seen.status, seen.thinking, seen.answer) == ("error", "hm", "Hel")
    assert seen.error == seen.chunks[-1]["message"]


@sockets
def test_fully_custom_connection_adapter_over_a_websocket(
    handwritten_socket: Client, model: Model, adapter: str
) -> None:
    model.say("Hel", "lo")
    model.say("Bye")
    seen = handwritten_socket.play(
        ["send", "Hello"], ["untilIdle"], ["send", "Bye"], ["untilIdle"], adapter=adapter, client={"body": WARM}
    )
    assert (seen.status, seen.error, seen.answer) == ("ready", None, "Bye")
    assert [asked.body["messages"] for asked in model.requests] == [
        [HELLO],
        [HELLO, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Bye"}],
    ]
    assert [asked.body["temperature"] for asked in model.requests] == [0.5, 0.5]
    assert not any("id" in event for opened in seen.requests for event in opened["received"])


@sockets
def test_fully_custom_connection_adapter_over_a_websocket_shows_reasoning_and_errors(
    handwritten_socket: Client, model: Model, adapter: str
) -> None:
    model.reply(Reply(reasoning=("hm",), text=("Hel", "lo"), error_after=2))
    seen = handwritten_socket.play(["send", "Hello"], ["untilIdle"], adapter=adapter)
    assert (seen.status, seen.thinking, seen.answer) == ("error", "hm", "Hel")
    assert seen.error == seen.chunks[-1]["message"]


def test_fully_custom_connection_adapter_over_a_websocket_is_stopped_by_its_close(
    handwritten_socket: Client, model: Model
) -> None:
    model.reply(Reply(text=("Hel", "lo"), hold=True))
    playing = handwritten_socket.begin(
        ["start", "Hello"], ["untilText", "Hel"], ["stop"], ["settle"], adapter="connectSocket"
    )
    asked = model.received()
    asked.step()
    seen = playing.result()
    assert (seen.status, seen.answer) == ("ready", "Hel")
    asked.wait_closed()


def test_mistake_a_both_modes_in_one_adapter(ndjson: Client) -> None:
    with pytest.raises(RuntimeError, match="either connect or both subscribe and send, not both modes"):
        ndjson.play(adapter="bothModes")


def test_mistake_c_resilient_adapter_asks_again_after_a_refusal(ndjson: Client, model: Model) -> None:
    model.reply(Reply(status=503), Reply(text=("Hi",)))
    seen = ndjson.play(["send", "Hello"], adapter="resilient")
    assert (seen.status, seen.answer) == ("ready", "Hi")
    assert [request["status"] for request in seen.requests] == [502, 200]


def test_mistake_c_resilient_adapter_asks_again_after_a_lost_connection(ndjson: Client, model: Model) -> None:
    """It names no run, so this is a new one: the adapter's way costs a second answer, in a bubble of its own."""
    model.reply(Reply(text=("Hel", "lo"), hold=True), Reply(text=("Hello",)))
    playing = ndjson.begin(["send", "Hello"], adapter="resilient", cuts=[{"after": 3, "how": "error"}])
    abandoned = model.received()
    abandoned.step()
    seen = playing.result()
    assert (seen.status, seen.error) == ("ready", None)
    assert [text_of(message, "text") for message in seen.messages] == ["Hello", "Hel", "Hello"]
    abandoned.wait_closed()
    assert len(model.requests) == 2

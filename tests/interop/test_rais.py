"""react-ai-stream's page "Custom endpoint", section by section, read the way its own client reads."""

from typing import Any

import pytest

from tokenwire.testing import Reply

from .client import Json
from .model import Model
from .node import Node
from .shared import SharedServer

endpoints = pytest.mark.parametrize("path", ["/api/chat", "/api/chat/rais"])


def chat(node: Node, url: str, *sends: str, **options: Any) -> Json:
    """A chat with `useAIChat({endpoint, headers, body})`."""
    scenario = {"generation": "rais", "url": url, "sends": sends, **options}
    return node.begin(scenario, dict).result()


@endpoints
def test_sse_protocol(clients: Node, server: SharedServer, model: Model, path: str) -> None:
    model.say("Hello", ", world")
    seen = chat(clients, server.url + path, "Hello")
    *texts, done = seen["events"]
    assert [event["type"] for event in texts] == ["text"] * len(texts)
    assert "".join(event["text"] for event in texts) == "Hello, world"
    assert done == {"type": "done"}
    assert seen["messages"][-1] == {"role": "assistant", "content": "Hello, world"}
    assert seen["error"] is None
    (request,) = seen["requests"]
    assert request["responseHeaders"]["content-type"].startswith("text/event-stream")
    assert "no-cache" in request["responseHeaders"]["cache-control"]


def test_request_shape_with_fields_of_the_body_option(clients: Node, server: SharedServer, model: Model) -> None:
    model.say("Hi")
    chat(clients, f"{server.url}/api/chat", "Hello", body={"persona": "support-agent", "temperature": 0.7})
    (asked,) = model.requests
    assert asked.body["temperature"] == 0.7
    assert "persona" not in asked.body
    assert asked.body["messages"] == [
        {"role": "system", "content": "You help people."},
        {"role": "user", "content": "Hello"},
    ]


def test_extra_headers(clients: Node, server: SharedServer, model: Model) -> None:
    model.say("Hi")
    headers = {"Authorization": "Bearer user-token", "X-Session-Id": "s-1"}
    seen = chat(clients, f"{server.url}/api/chat", "Hello", headers=headers)
    assert seen["messages"][-1]["content"] == "Hi"
    (asked,) = model.requests
    assert "user-token" not in str(asked.headers)
    assert "x-session-id" not in asked.headers


def test_request_shape_of_a_longer_chat(clients: Node, server: SharedServer, model: Model) -> None:
    model.say("One")
    model.say("Two")
    seen = chat(clients, f"{server.url}/api/chat", "first", "second")
    assert [message["content"] for message in seen["messages"]] == ["first", "One", "second", "Two"]
    assert model.requests[-1].body["messages"] == [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "One"},
        {"role": "user", "content": "second"},
    ]


def test_example_route_passes_text_and_nothing_else(clients: Node, server: SharedServer, model: Model) -> None:
    model.reply(Reply(reasoning=("hm",), text=("Hi",)))
    seen = chat(clients, f"{server.url}/api/chat", "Hello")
    assert seen["events"] == [{"type": "text", "text": "Hi"}, {"type": "done"}]


def test_sse_protocol_of_an_error_and_the_turn_after_it(clients: Node, server: SharedServer, model: Model) -> None:
    model.reply(Reply(text=("Hel", "lo"), error_after=1))
    broken = chat(clients, f"{server.url}/api/chat", "Hello")
    *_, error = broken["events"]
    assert error == {"type": "error", "error": broken["error"]}
    assert broken["error"]
    assert broken["messages"][-1]["content"] == "Hel"

    model.say("Hi")
    seen = chat(clients, f"{server.url}/api/chat", "Again", messages=broken["messages"])
    assert (seen["error"], seen["messages"][-1]["content"]) == (None, "Hi")


def test_an_empty_turn_of_a_failed_request_is_no_obstacle(clients: Node, server: SharedServer, model: Model) -> None:
    model.reply(Reply(status=429), Reply(text=("Hi",)))
    seen = chat(clients, f"{server.url}/api/chat", "Hello", "Again")
    assert seen["messages"][1] == {"role": "assistant", "content": ""}
    assert seen["messages"][-1]["content"] == "Hi"
    assert model.requests[-1].body["messages"] == [
        {"role": "user", "content": "Hello"},
        {"role": "user", "content": "Again"},
    ]


def test_a_refusal_is_shown_as_its_body_in_plain_words(clients: Node, server: SharedServer, model: Model) -> None:
    model.reply(Reply(status=429))
    seen = chat(clients, f"{server.url}/api/chat", "Hello")
    (request,) = seen["requests"]
    assert request["status"] == 429
    assert seen["error"] == f"Request failed: {request['received']}"
    assert "{" not in seen["error"]
    assert len(seen["error"]) < 200


def test_a_hook_that_goes_away_frees_the_model(clients: Node, server: SharedServer, model: Model) -> None:
    model.reply(Reply(text=("Hel", "lo"), hold=True))
    gone = {"generation": "rais", "url": f"{server.url}/api/chat", "sends": ["Hello"]}
    playing = clients.begin({**gone, "cuts": [{"after": 1, "how": "end"}]}, dict)
    asked = model.received()
    asked.step()
    assert playing.result()["messages"][-1]["content"] == "Hel"
    asked.wait_closed()

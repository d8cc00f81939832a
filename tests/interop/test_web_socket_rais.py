"""react-ai-stream's `transport: 'ws'`, read the way its own client reads."""

from typing import Any

from tokenwire.testing import Reply

from .client import Json
from .model import Model
from .node import Node
from .shared import SharedServer


def chat(node: Node, server: SharedServer, *sends: str, **options: Any) -> Json:
    url = f"ws{server.url.removeprefix('http')}/api/chat/ws"
    return node.begin({"generation": "rais", "url": url, "sends": sends, **options}, dict).result()


def test_every_question_has_a_socket(clients: Node, server: SharedServer, model: Model) -> None:
    model.say("Hello", ", world")
    model.say("Bye")
    seen = chat(clients, server, "first", "second", body={"persona": "support-agent"})
    assert [message["content"] for message in seen["messages"]] == ["first", "Hello, world", "second", "Bye"]
    assert seen["error"] is None
    assert {event["type"] for event in seen["events"]} == {"text", "done"}
    assert model.requests[-1].body["messages"][0] == {"role": "system", "content": "You help people."}


def test_an_error_is_shown(clients: Node, server: SharedServer, model: Model) -> None:
    model.reply(Reply(text=("Hel", "lo"), error_after=1))
    seen = chat(clients, server, "Hello")
    assert (seen["messages"][-1]["content"], seen["error"]) == (
        "Hel",
        "The answer broke off. The model reported an error.",
    )


def test_a_refusal_is_shown(clients: Node, server: SharedServer, model: Model) -> None:
    seen = chat(clients, server, "Hello", body={"model": "nobody's"})
    assert (seen["messages"][-1]["content"], seen["error"]) == ("", "Not offered here: this model.")

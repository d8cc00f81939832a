"""Conversations in every shape that clients send: the model gets rows it accepts, whatever happened before."""

import json
import urllib.request
from typing import Any

import pytest

from .client import Client, Json
from .model import Model
from .shared import SharedServer

NEXT = {"role": "user", "content": "next"}
ASK = {"id": "u1", "role": "user", "parts": [{"type": "text", "content": "What time is it?"}]}
ASKED = {"role": "user", "content": "What time is it?"}
CALL = {"type": "tool-call", "id": "c1", "name": "clock", "arguments": '{"zone":"UTC"}', "state": "input-complete"}
RESULT = {"type": "tool-result", "toolCallId": "c1", "content": '"noon"', "state": "complete"}


def text(content: str) -> Json:
    return {"type": "text", "content": content}


def assistant(*parts: Json) -> Json:
    return {"id": "a1", "role": "assistant", "parts": list(parts)}


def called(content: str | None, arguments: str = '{"zone":"UTC"}') -> Json:
    call = {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": arguments}}
    return {"role": "assistant", "content": content, "tool_calls": [call]}


def answered(content: str) -> Json:
    return {"role": "tool", "content": content, "tool_call_id": "c1"}


def asked_after(client: Client, model: Model, history: list[Json]) -> list[Json]:
    """What the model is asked when a chat that holds this history says "next"."""
    model.say("Hi")
    seen = client.play(["send", "next"], client={"initialMessages": history})
    assert (seen.status, seen.answer) == ("ready", "Hi")
    (request,) = model.requests
    return list(request.body["messages"])


def test_a_tool_call_with_its_result(client: Client, model: Model) -> None:
    history = [ASK, assistant(text("Let me look."), CALL, RESULT, text("Noon."))]
    # the newest client joins all text of a message before it sends it
    turns = {
        "legacy": [called("Let me look."), answered('"noon"'), {"role": "assistant", "content": "Noon."}],
        "new": [called("Let me look.Noon."), answered('"noon"')],
    }
    assert asked_after(client, model, history) == [ASKED, *turns[client.generation], NEXT]


def test_a_result_that_only_the_call_holds(client: Client, model: Model) -> None:
    history = [ASK, assistant({**CALL, "output": {"time": "noon"}})]
    *rows, row, last = asked_after(client, model, history)
    assert [*rows, last] == [ASKED, called(None), NEXT]
    assert json.loads(row["content"]) == {"time": "noon"}


def test_a_tool_that_failed(client: Client, model: Model) -> None:
    failed = {"type": "tool-result", "toolCallId": "c1", "content": None, "state": "error", "error": "no clock"}
    history = [ASK, assistant({**CALL, "output": {"error": "no clock"}}, failed)]
    *rows, row, last = asked_after(client, model, history)
    assert [*rows, last] == [ASKED, called(None), NEXT]
    assert "no clock" in row["content"]
    assert row["tool_call_id"] == "c1"


@pytest.mark.parametrize(
    ("part", "arguments"),
    [
        pytest.param(CALL, '{"zone":"UTC"}', id="never answered"),
        pytest.param({**CALL, "arguments": '{"zone":"U', "state": "input-streaming"}, "{}", id="cut off"),
        pytest.param({**CALL, "arguments": ""}, "{}", id="without arguments"),
    ],
)
def test_a_call_without_a_result_is_answered_as_not_completed(
    client: Client, model: Model, part: Json, arguments: str
) -> None:
    *rows, row, last = asked_after(client, model, [ASK, assistant(text("Wait."), part)])
    assert [*rows, last] == [ASKED, called("Wait.", arguments), NEXT]
    assert (row["role"], row["tool_call_id"]) == ("tool", "c1")
    assert "error" in json.loads(row["content"])


def test_the_empty_bubble_an_error_left_is_dropped(client: Client, model: Model) -> None:
    assert asked_after(client, model, [ASK, assistant()]) == [ASKED, NEXT]


def test_a_system_row_comes_first(client: Client, model: Model) -> None:
    system = {"id": "s1", "role": "system", "parts": [text("Be brief.")]}
    rows = asked_after(client, model, [system, ASK, assistant(text("Noon."))])
    assert rows == [{"role": "system", "content": "Be brief."}, ASKED, {"role": "assistant", "content": "Noon."}, NEXT]


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ({"type": "url", "value": "https://93.184.215.14/cat.png"}, "https://93.184.215.14/cat.png"),
        ({"type": "data", "value": "aGk=", "mimeType": "image/png"}, "data:image/png;base64,aGk="),
    ],
    ids=["by address", "as data"],
)
def test_an_image_beside_text(client: Client, model: Model, source: Json, url: str) -> None:
    look = {"id": "u1", "role": "user", "parts": [text("Look:"), {"type": "image", "source": source}]}
    row, *_ = asked_after(client, model, [look, assistant(text("A cat."))])
    assert row == {
        "role": "user",
        "content": [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": url}}],
    }


def test_reasoning_is_never_sent_back(client: Client, model: Model) -> None:
    thinking = {"type": "thinking", "content": "secret thoughts", "stepId": "s1"}
    rows = asked_after(client, model, [ASK, assistant(thinking, text("Noon."))])
    assert rows == [ASKED, {"role": "assistant", "content": "Noon."}, NEXT]


def post(url: str, body: Any) -> str:
    """A request no installed client makes."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return str(response.read().decode())


def test_the_clients_in_between_send_every_tool_result_twice(server: SharedServer, model: Model) -> None:
    model.say("Hi")
    call = {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": '{"zone":"UTC"}'}}
    parts = assistant({"type": "thinking", "content": "hm"}, text("Let me look."), CALL, RESULT)["parts"]
    rows = [
        {**ASK, "content": "What time is it?"},
        {"id": "r1", "role": "reasoning", "content": "hm"},
        {"id": "a1", "role": "assistant", "content": "Let me look.", "parts": parts, "toolCalls": [call]},
        {"id": "tool-c1", "role": "tool", "toolCallId": "c1", "content": '"noon"'},
        {"id": "u2", "role": "user", "content": "next", "parts": [text("next")]},
    ]
    envelope = {"threadId": "t", "runId": "run-in-between", "tools": [], "context": [], "state": {}}
    answer = post(f"{server.url}/api/chat", {**envelope, "messages": rows, "forwardedProps": {}, "data": {}})
    assert '"delta":"Hi"' in answer
    assert model.requests[0].body["messages"] == [ASKED, called("Let me look."), answered('"noon"'), NEXT]


def test_plain_rows_as_an_application_writes_them_by_hand(server: SharedServer, model: Model) -> None:
    model.say("Hi")
    rows = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What time is it?"},
        {"role": "assistant", "content": None, "toolCalls": [
            {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": '{"zone":"UTC"}'}}
        ]},
        {"role": "tool", "content": '"noon"', "toolCallId": "c1"},
        {"role": "tool", "content": "nobody asked", "toolCallId": "c9"},
        {"role": "user", "content": "next"},
    ]  # fmt: skip
    post(f"{server.url}/api/chat/tanstack", {"messages": rows, "data": {}})
    asked = model.requests[0].body["messages"]
    assert asked == [{"role": "system", "content": "Be brief."}, ASKED, called(None), answered('"noon"'), NEXT]
